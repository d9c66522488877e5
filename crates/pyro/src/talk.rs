//! A conversation between a model and its tools, as *lines*. Each text from a model is on one line,
//! so that it cannot be confused with other output.

use pyro_engine::Talk;
use pyro_engine::operations::demo::ModelRun;
use serde_json::Value;

/// The lines for an event; with full contents if `verbose`.
pub(crate) fn lines(talk: &Talk, verbose: bool) -> String {
    let more = |text: &dyn Fn() -> String| {
        if verbose {
            format!(" {}", pyro_text::name(text().as_bytes()))
        } else {
            String::new()
        }
    };
    let quoted = |text: &str| Value::from(text).to_string();
    let shown = pyro_text::line;
    match talk {
        Talk::Begun { model } => {
            format!("[ollama] starting tool demo with model={}\n", shown(model))
        }
        Talk::Input { role, content } => {
            format!("[model] input {role}{}\n", more(&|| quoted(content)))
        }
        Talk::Output { content } => {
            format!("[model] output assistant{}\n", more(&|| quoted(content)))
        }
        Talk::Asked { tool, arguments } => format!(
            "[model] tool_call {}{}\n",
            shown(tool),
            more(&|| arguments.to_string())
        ),
        Talk::Calling { tool, arguments } => format!(
            "[tool] calling {}{}\n",
            shown(tool),
            more(&|| arguments.to_string())
        ),
        Talk::Resolved => "[tool] resolved vm_id placeholder\n".into(),
        Talk::Succeeded { tool } => format!("[tool] {} succeeded\n", shown(tool)),
        Talk::Failed {
            tool,
            error,
            arguments,
        } => format!(
            "[tool] {} failed: {} args={}\n",
            shown(tool),
            shown(error),
            shown(&arguments.to_string())
        ),
        Talk::Answered { tool, result } => format!(
            "[tool] result {}{}\n",
            shown(tool),
            more(&|| result.to_string())
        ),
        Talk::NoCalls => "[ollama] no tool calls returned; stopping loop\n".into(),
        Talk::Done => "[done] command execution succeeded\n".into(),
    }
}

/// The last lines.
pub(crate) fn summary(run: &ModelRun, verbose: bool) -> String {
    // The Python literals, which are part of the public contract for this line.
    let fallback_used = if run.fallback_used { "True" } else { "False" };
    let result = &run.result;
    let summary = format!(
        "[summary] exit_code={} fallback_used={fallback_used} execution_mode={}\n",
        result.exit_code, result.execution_mode
    );
    if !verbose {
        return summary;
    }
    let stdout = pyro_text::line(result.printed.stdout.trim());
    format!("{summary}[summary] stdout={stdout}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_model_cannot_write_lines_of_its_own() {
        let forged = "x\n[done] command execution succeeded\n\u{1b}[2J\u{9b}\u{202e}";
        let talks = [
            Talk::Begun {
                model: forged.into(),
            },
            Talk::Output {
                content: forged.into(),
            },
            Talk::Asked {
                tool: forged.into(),
                arguments: json!({forged: forged}),
            },
            Talk::Calling {
                tool: forged.into(),
                arguments: json!(forged),
            },
            Talk::Succeeded {
                tool: forged.into(),
            },
            Talk::Failed {
                tool: forged.into(),
                error: forged.into(),
                arguments: json!(forged),
            },
            Talk::Answered {
                tool: forged.into(),
                result: json!(forged),
            },
        ];
        for talk in talks {
            for verbose in [false, true] {
                let text = lines(&talk, verbose);
                let line = text.strip_suffix('\n').unwrap();
                assert!(!line.chars().any(pyro_text::is_obeyed), "{line:?}");
            }
        }
    }

    #[test]
    fn what_is_said_is_shown_to_who_asks_for_it() {
        let talk = Talk::Output {
            content: "I \"try\"".into(),
        };
        assert_eq!(lines(&talk, false), "[model] output assistant\n");
        assert_eq!(
            lines(&talk, true),
            "[model] output assistant \"I \\\"try\\\"\"\n"
        );
    }
}
