//! The calls that change something: one file for each AWS service. Nothing here decides whether to call.

mod ec2;
mod ecs;
mod rds;
mod secretsmanager;
#[cfg(test)]
mod tests;

use holdfast_core::action::{
    Action, AllowIngress, ClosePublicAccess, ConfigureDatabase, Deregister, ForceTls, RaiseRetention, Redeploy,
    RestoreSecret, RevokeIngress, RollBack, RollOut, SetUpService,
};
use holdfast_core::model::snapshot::Read;
use holdfast_operator::ports::Write;

use crate::inventory::Collector;
pub(crate) use ecs::registered;

/// Makes one call.
pub async fn write(c: &Collector<'_>, write: Write<'_>) -> Read<Option<String>> {
    let action = match write {
        Write::Register {
            base,
            changes,
            workload,
            attempt,
        } => {
            let registration = ecs::Registration {
                base,
                changes,
                workload,
                attempt,
                is_twin: false,
            };
            return ecs::register(c, &registration).await.map(Some);
        }
        Write::RegisterTwin {
            base,
            workload,
            attempt,
        } => {
            let registration = ecs::Registration {
                base,
                changes: &[],
                workload,
                attempt,
                is_twin: true,
            };
            return ecs::register(c, &registration).await.map(Some);
        }
        Write::Stop { deployment } => return ecs::stop(c, deployment).await.map(|()| None),
        Write::Deregister { revision } => return ecs::deregister(c, revision).await.map(|()| None),
        Write::Update {
            cluster,
            service,
            revision,
        } => return ecs::update(c, cluster, service, revision).await.map(|()| None),
        Write::Correct(action) => action,
    };
    match action {
        Action::ClosePublicAccess(ClosePublicAccess { instance }) => rds::close(c, instance).await,
        Action::RaiseRetention(RaiseRetention { database, to, .. }) => rds::retain(c, database, *to).await,
        Action::ConfigureDatabase(ConfigureDatabase { database, setting }) => {
            rds::configure(c, database, setting).await
        }
        Action::ForceTls(ForceTls { of_cluster, group }) => rds::force_tls(c, *of_cluster, group).await,
        Action::AllowIngress(AllowIngress { group, source, port }) => ec2::allow(c, group, source, *port).await,
        Action::RestoreSecret(RestoreSecret { secret }) => secretsmanager::restore(c, secret).await,
        Action::SetUpService(SetUpService {
            cluster,
            service,
            setting,
        }) => ecs::set_up(c, cluster, service, *setting).await,
        Action::Redeploy(Redeploy { cluster, service }) => ecs::redeploy(c, cluster, service).await,
        Action::Deregister(Deregister { revision }) => ecs::deregister(c, revision).await,
        Action::RevokeIngress(RevokeIngress { group, rule }) => ec2::revoke(c, group, rule).await,
        Action::RollOut(RollOut { cluster, service, .. }) | Action::RollBack(RollBack { cluster, service, .. }) => {
            let place = format!("{cluster}/{service}");
            let message = format!("{place}: a rollout is more than one call; this is a bug");
            Err(c.aws.error(ecs::UPDATE, &place, "NotSent", message))
        }
    }
    .map(|()| None)
}
