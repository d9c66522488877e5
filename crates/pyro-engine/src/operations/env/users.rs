//! Who *uses* environments: the workspaces and VMs of this user.

use pyro_environment::{User, Users};

use crate::instance::InstanceKind;
use crate::{Context, Engine, Event};

/// Finds all who use environments, and warns of those that cannot be read.
pub(super) fn users(engine: &Engine, context: &Context) -> Users {
    let mut users = Users::default();
    for kind in [InstanceKind::Workspace, InstanceKind::Vm] {
        let (found, broken) = engine.all_instances(kind);
        users.known.extend(found.iter().map(|instance| User {
            id: format!("{} {}", kind.noun(), instance.id()),
            environment: instance.record.environment.clone(),
        }));
        users.may_be_more |= !broken.is_empty();
        for problem in broken {
            context.listener.report(Event::Warning(problem));
        }
    }
    users
}
