//! *Consent*: whether a command may run on the host is not for a model to say. The operator permits
//! it when the server is started; a client that can ask a person has it asked for every command.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pyro_engine::HOST_COMPAT;
use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationSchema, InputRequest, InputRequiredResult, InputResponses,
    ProtocolVersion, ServerRequest,
};
use rmcp::service::RequestContext;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The property of the form, a boolean.
const ALLOW: &str = "allow";

/// What is known of a person's will.
#[derive(Debug)]
pub(crate) enum Consent {
    /// The command may run, or nobody has to be asked.
    Given,
    /// A person was asked, and did not allow it.
    Refused,
    /// The client has to ask a person, and to send the call again with the answer.
    Wanted(Box<InputRequiredResult>),
}

/// Finds out whether a call may run its command on the host if the host cannot run guests.
///
/// In the protocol's newer versions the answer comes with the repeated call, so it is kept under a
/// name that only a call with the same arguments has.
pub(crate) async fn consent(
    tool: &str,
    arguments: &Value,
    responses: Option<&InputResponses>,
    context: &RequestContext<RoleServer>,
) -> Consent {
    if arguments[HOST_COMPAT] != true || !context.client_capabilities().is_some_and(has_forms) {
        return Consent::Given;
    }
    let form = form(tool, arguments);
    let newer = context.protocol_version() >= Some(ProtocolVersion::V_2026_07_28);
    if !newer {
        let request = ServerRequest::ElicitRequest(ElicitRequest::new(form));
        return match context.peer.send_request(request).await {
            Ok(ClientResult::ElicitResult(answer)) => decision(&answer),
            Ok(_) => Consent::Refused,
            Err(error) => {
                tracing::debug!(%error, "the client did not ask anybody");
                Consent::Refused
            }
        };
    }
    let key = key(arguments);
    if let Some(answer) = responses.and_then(|responses| responses.get(&key)) {
        let answer = serde_json::from_value(answer.clone());
        return answer.map_or(Consent::Refused, |answer| decision(&answer));
    }
    let request = InputRequest::Elicitation(ElicitRequest::new(form));
    let requests = [(key, request)].into_iter().collect();
    Consent::Wanted(Box::new(InputRequiredResult::from_input_requests(requests)))
}

/// Whether a client can show a form; one that does not say which kinds it can show has forms.
fn has_forms(client: ClientCapabilities) -> bool {
    let asks = client.elicitation;
    asks.is_some_and(|kinds| kinds.form.is_some() || kinds.url.is_none())
}

fn form(tool: &str, arguments: &Value) -> ElicitRequestParams {
    let command = match &arguments["command"] {
        Value::Null => String::new(),
        Value::String(line) => format!("\n\n{line}"),
        words => format!("\n\n{words}"),
    };
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: format!(
            "May {tool} use this host itself, WITHOUT ISOLATION, with the rights of the user who \
             started the server, if the host cannot start a microVM?{command}"
        ),
        requested_schema: ElicitationSchema::builder()
            .required_bool_with(ALLOW, |schema| schema.title("Allow"))
            .build_unchecked(),
    }
}

fn decision(answer: &ElicitResult) -> Consent {
    let content = answer.content.as_ref();
    let allowed = content.is_some_and(|content| content[ALLOW] == true);
    if answer.action == ElicitationAction::Accept && allowed {
        Consent::Given
    } else {
        Consent::Refused
    }
}

/// The name of the question about a call with these arguments.
fn key(arguments: &Value) -> String {
    let digest = Sha256::digest(arguments.to_string());
    format!("host-{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
}
