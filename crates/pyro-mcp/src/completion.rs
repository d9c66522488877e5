//! *Completions* are the possible values for an argument of a prompt or of an address, for a person
//! who fills it in.

use pyro_engine::operation::Entry;
use pyro_engine::operations;
use rmcp::model::CompletionInfo;
use serde_json::Value;

use crate::log::STREAMS;

/// The source of an argument's possible values.
#[derive(Debug)]
pub(crate) enum Source {
    /// A fixed list; empty if the values cannot be known.
    Fixed(&'static [&'static str]),
    /// An operation lists them.
    Listed(&'static Entry, Place),
}

/// The position of the values in an operation's answer: the name of the list, and of the key in
/// each item.
type Place = (&'static str, &'static str);

impl Source {
    /// Returns an argument's source. An argument of one name always has the same meaning.
    pub(crate) fn of(argument: &str) -> Self {
        let (operation, place) = match argument {
            "stream" => return Self::Fixed(&STREAMS),
            "environment" => ("vm_list_environments", ("environments", "name")),
            "workspace_id" => ("workspace_list", ("workspaces", "workspace_id")),
            _ => return Self::Fixed(&[]),
        };
        // Completions are for people, so the operation need not be among the model's tools.
        match operations::find(operation) {
            Some(entry) => Self::Listed(entry, place),
            None => Self::Fixed(&[]),
        }
    }
}

/// Returns the values in an operation's answer.
pub(crate) fn values(answer: &Value, (list, key): Place) -> Vec<&str> {
    let items = answer[list].as_array().into_iter().flatten();
    items.filter_map(|item| item[key].as_str()).collect()
}

/// Returns the values with this prefix, as many as the protocol allows.
pub(crate) fn matching(values: &[&str], begun: &str) -> CompletionInfo {
    let matching = values.iter().filter(|value| value.starts_with(begun));
    let mut completion = CompletionInfo::default();
    completion.values = matching.map(|value| (*value).to_owned()).collect();
    completion.total = completion.values.len().try_into().ok();
    completion.has_more = Some(completion.values.len() > CompletionInfo::MAX_VALUES);
    completion.values.truncate(CompletionInfo::MAX_VALUES);
    completion
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_come_than_the_protocol_allows() {
        let ids: Vec<_> = (0..250).map(|number| format!("{number:03}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let some = matching(&ids, "1");
        assert_eq!((some.values.len(), some.total), (100, Some(100)));
        assert_eq!(
            (some.values[0].as_str(), some.has_more),
            ("100", Some(false))
        );
        let all = matching(&ids, "");
        assert_eq!((all.values.len(), all.total), (100, Some(250)));
        assert_eq!(all.has_more, Some(true));
    }
}
