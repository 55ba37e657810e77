//! The calls that change something, one file a service.

mod database;
mod ingress;
mod register;
mod secret;
mod service;

use holdfast_core::action::{
    Action, AllowIngress, ClosePublicAccess, ConfigureDatabase, Deregister, ForceTls, RaiseRetention, RestoreSecret,
    RevokeIngress, RollBack, RollOut, SetUpService,
};
use holdfast_core::model::snapshot::Read;
use holdfast_operator::ports::Write;

use crate::inventory::Collector;
pub(crate) use register::registered;

/// Makes one call.
pub async fn write(c: &Collector<'_>, write: Write<'_>) -> Read<Option<String>> {
    let action = match write {
        Write::Register {
            base,
            changes,
            workload,
            attempt,
        } => return register::register(c, base, changes, workload, attempt).await.map(Some),
        Write::Update {
            cluster,
            service,
            revision,
        } => return service::update(c, cluster, service, revision).await.map(|()| None),
        Write::Correct(action) => action,
    };
    match action {
        Action::ClosePublicAccess(ClosePublicAccess { instance }) => database::close(c, instance).await,
        Action::RaiseRetention(RaiseRetention { database, to, .. }) => database::retain(c, database, *to).await,
        Action::ConfigureDatabase(ConfigureDatabase { database, setting }) => {
            database::configure(c, database, setting).await
        }
        Action::ForceTls(ForceTls { of_cluster, group }) => database::force_tls(c, *of_cluster, group).await,
        Action::AllowIngress(AllowIngress { group, source, port }) => ingress::allow(c, group, source, *port).await,
        Action::RestoreSecret(RestoreSecret { secret }) => secret::restore(c, secret).await,
        Action::SetUpService(SetUpService {
            cluster,
            service,
            setting,
        }) => service::set_up(c, cluster, service, *setting).await,
        Action::Deregister(Deregister { revision }) => service::deregister(c, revision).await,
        Action::RevokeIngress(RevokeIngress { group, rule }) => ingress::revoke(c, group, rule).await,
        Action::RollOut(RollOut { cluster, service, .. }) | Action::RollBack(RollBack { cluster, service, .. }) => {
            let place = format!("{cluster}/{service}");
            let message = format!("{place}: a rollout is more than one call; this is a bug");
            Err(c.aws.error(service::UPDATE, &place, "NotSent", message))
        }
    }
    .map(|()| None)
}
