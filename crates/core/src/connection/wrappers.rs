//! What tells that a container gets its settings at start, from where Holdfast can't read them: a command that fetches them
//! before it starts the application, or a variable that says where they are.
//!
//! Each tool's own documentation: Doppler <https://docs.doppler.com/docs/dockerfile>, chamber
//! <https://github.com/segmentio/chamber>, aws-env <https://github.com/Droplr/aws-env>, envconsul
//! <https://github.com/hashicorp/envconsul>, vault-env <https://bank-vaults.dev/docs/mutating-webhook/>, 1Password
//! <https://developer.1password.com/docs/cli/reference/commands/run/>, Infisical
//! <https://infisical.com/docs/cli/commands/run>, Berglas <https://github.com/GoogleCloudPlatform/berglas>, ssm-env
//! <https://github.com/remind101/ssm-env>, SOPS <https://getsops.io/docs/>, dotenv-cli
//! <https://github.com/entropitor/dotenv-cli>, ssm-parent <https://github.com/springload/ssm-parent>, Summon
//! <https://cyberark.github.io/summon/>, Teller <https://github.com/tellerops/teller>, vals
//! <https://github.com/helmfile/vals>, Bitwarden <https://bitwarden.com/help/secrets-manager-cli/>.

use super::grammar::normalized;

/// A tool, the word that must come after it (none: it starts another command by itself), and what it is called.
const TOOLS: &[(&str, &str, &str)] = &[
    ("doppler", "run", "doppler run"),
    ("chamber", "exec", "chamber exec"),
    ("chamber", "env", "chamber env"),
    ("op", "run", "op run"),
    ("infisical", "run", "infisical run"),
    ("berglas", "exec", "berglas exec"),
    ("sops", "exec-env", "sops exec-env"),
    ("sops", "exec-file", "sops exec-file"),
    ("ssm-parent", "run", "ssm-parent run"),
    ("teller", "run", "teller run"),
    ("vals", "exec", "vals exec"),
    ("bws", "run", "bws run"),
    ("pstore", "exec", "pstore exec"),
    ("aws", "ssm", "aws ssm"),
    ("aws", "secretsmanager", "aws secretsmanager"),
    ("aws", "appconfigdata", "aws appconfigdata"),
    ("vault", "kv", "vault kv"),
    ("vault", "read", "vault read"),
    ("vault", "agent", "vault agent"),
    ("aws-env", "", "aws-env"),
    ("envconsul", "", "envconsul"),
    ("consul-template", "", "consul-template"),
    ("vault-env", "", "vault-env"),
    ("ssm-env", "", "ssm-env"),
    ("secretsmanager-env", "", "secretsmanager-env"),
    ("secrets-entrypoint.sh", "", "secrets-entrypoint.sh"),
    ("summon", "", "summon"),
    ("envkey-source", "", "envkey-source"),
    ("dotenv", "", "dotenv"),
    ("dotenvx", "", "dotenvx"),
    ("confd", "", "confd"),
];

/// Words before the command proper: shells, init processes and others that start what comes after them.
#[rustfmt::skip]
const STARTERS: &[&str] = &[
    "sh", "bash", "ash", "dash", "zsh", "exec", "env", "tini", "dumb-init", "catatonit", "eval", "export", "nice",
    "nohup", "time", "sudo", "then", "do", "npx", "bundle", "poetry", "pipenv", "uv", "run", "docker-entrypoint.sh",
    "entrypoint.sh",
];

/// The command that fetches settings before it starts the application, if `entry_point` and `command` have one.
#[must_use]
pub fn wrapper<T: AsRef<str>>(entry_point: &[T], command: &[T]) -> Option<&'static str> {
    let mut words: Vec<Word> = vec![];
    for argument in entry_point.iter().chain(command).map(AsRef::as_ref) {
        if argument.contains(char::is_whitespace) {
            // The text after `sh -c`.
            words.extend(shell_words(argument));
        } else {
            words.push(Word::argument(argument));
        }
    }
    let mut begins = true;
    for (at, word) in words.iter().enumerate() {
        if begins || word.begins {
            if let Some(tool) = tool_at(&words[at..]) {
                return Some(tool);
            }
            if word.in_shell && matches!(word.text, "source" | ".") && words.len() > at + 1 {
                return Some("source");
            }
        }
        // `node -r dotenv/config`
        if matches!(word.text, "dotenv/config" | "dotenv/config.js") {
            return Some("dotenv");
        }
        let starts_another = STARTERS.contains(&word.name()) || word.text == "--";
        // `tini -g --`, `env A=b`, `gosu app`
        let belongs = begins && (word.text.starts_with('-') || word.text.contains('='));
        begins = starts_another || belongs || matches!(word.name(), "gosu" | "su-exec" | "setpriv");
        if at > 0 && matches!(words[at - 1].name(), "gosu" | "su-exec") {
            begins = true;
        }
    }
    None
}

/// The tool that begins there, with its word among the next few.
fn tool_at(words: &[Word]) -> Option<&'static str> {
    const FLAGS: usize = 8;
    let (first, after) = words.split_first()?;
    // Up to what the tool starts itself.
    let own = after.iter().take(FLAGS).take_while(|w| w.text != "--" && !w.begins);
    let own: Vec<&str> = own.map(|w| w.text).collect();
    let called =
        |(tool, then, _): &&(&str, &str, &str)| first.name() == *tool && (then.is_empty() || own.contains(then));
    TOOLS.iter().find(called).map(|(_, _, name)| *name)
}

#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    /// Whether a command begins here, as after `&&`.
    begins: bool,
    in_shell: bool,
}

impl<'a> Word<'a> {
    fn argument(text: &'a str) -> Self {
        Self {
            text,
            begins: false,
            in_shell: false,
        }
    }

    /// Without its folder.
    fn name(&self) -> &'a str {
        self.text.rsplit('/').next().unwrap_or(self.text)
    }
}

/// The words of a shell's text. Quotes are signs like others: what is sought stands outside of them, or in `"$(...)"`.
fn shell_words(text: &str) -> Vec<Word<'_>> {
    let mut words = vec![];
    let mut begins = true;
    for chunk in text.split_inclusive(|c: char| c.is_whitespace() || ";&|()`\"'".contains(c)) {
        let end = chunk.trim_end_matches(|c: char| c.is_whitespace() || ";&|()`\"'".contains(c));
        let word = end.trim_start_matches('$');
        if !word.is_empty() {
            words.push(Word {
                text: word,
                begins,
                in_shell: true,
            });
            begins = false;
        }
        begins |= chunk[end.len()..].contains([';', '&', '|', '(', '`', '\n']);
    }
    words
}

/// Variables that say where settings are fetched from, in words that `_` joins.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "DOPPLER_TOKEN", "DOPPLER_PROJECT", "INFISICAL_TOKEN", "INFISICAL_PROJECT_ID", "VAULT_ADDR", "VAULT_TOKEN",
    "VAULT_ROLE", "OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN", "OP_CONNECT_HOST", "BWS_ACCESS_TOKEN", "ENVKEY",
    "DOTENV_KEY", "DOTENV_PRIVATE_KEY", "DOTENV_CONFIG_PATH", "DOTENV_PATH", "CONSUL_HTTP_ADDR",
    "SPRING_CONFIG_IMPORT", "SPRING_CONFIG_LOCATION", "SPRING_CONFIG_ADDITIONAL_LOCATION", "SPRING_CLOUD_CONFIG_URI",
    "SPRING_APPLICATION_JSON", "QUARKUS_CONFIG_LOCATIONS", "MICRONAUT_CONFIG_FILES", "AIRFLOW_SECRETS_BACKEND",
    "CONFIG_FILE", "CONFIG_PATH", "CONFIG_URL", "CONFIG_URI", "CONFIG_BUCKET", "CONFIG_S3_PATH", "ENV_FILE",
    "SECRETS_FILE", "SECRETS_BUCKET", "SECRETS_BUCKET_NAME", "RAILS_MASTER_KEY",
];

/// How names of such variables begin.
#[rustfmt::skip]
const STARTS: &[&str] = &[
    "AWS_APPCONFIG_", "APPCONFIG_", "CHAMBER_", "CONJUR_", "AKEYLESS_", "SECRETS_MANAGER_", "SECRETSMANAGER_",
    "SECRET_MANAGER_", "AWS_SECRETS_MANAGER_", "PARAMETER_STORE_", "PARAM_STORE_", "AWS_PARAMETER_STORE_",
    "AWS_PARAMSTORE_", "SSM_", "AWS_ENV_PATH",
];

/// How names of such variables end.
#[rustfmt::skip]
const ENDS: &[&str] = &[
    "SECRET_ID", "SECRET_ARN", "SECRET_NAME", "SECRET_PATH", "SECRETS_ID", "SECRETS_ARN", "SECRETS_NAME",
    "SECRETS_PATH", "SECRETS_PREFIX", "CREDENTIALS_ARN", "CREDENTIALS_SECRET", "SSM_PATH", "SSM_PREFIX",
    "SSM_PARAMETER", "SSM_PARAMETER_NAME", "SSM_NAME", "PARAMETER_PATH", "PARAMETER_NAME", "PARAMETER_ARN",
    "CONFIG_FILE", "CONFIG_PATH", "CONFIG_LOCATION", "ENV_FILE",
];

/// Whether the variable, by its name, says that the application fetches settings at start, and where from.
#[must_use]
pub fn fetches_settings(variable: &str) -> bool {
    let name = normalized(variable);
    let ends = |end: &&str| name == **end || name.strip_suffix(*end).is_some_and(|before| before.ends_with('_'));
    NAMES.contains(&name.as_str()) || STARTS.iter().any(|s| name.starts_with(s)) || ENDS.iter().any(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn commands_that_fetch_settings() {
        for (entry_point, command, name) in [
            (&[][..], &["doppler", "run", "--", "/app"][..], "doppler run"),
            (
                &["/usr/local/bin/doppler", "--token", "x", "run", "--"],
                &["node", "main.js"],
                "doppler run",
            ),
            (
                &["/chamber"],
                &["exec", "shop/prod", "--", "bin/server"],
                "chamber exec",
            ),
            (&["tini", "-g", "--", "chamber", "exec", "shop"], &[], "chamber exec"),
            (
                &["/usr/bin/dumb-init", "--", "ssm-env", "-with-decryption"],
                &["/app"],
                "ssm-env",
            ),
            (&["op", "run", "--env-file=prod.env", "--"], &["./app"], "op run"),
            (
                &[],
                &["infisical", "run", "--env", "prod", "--", "npm", "start"],
                "infisical run",
            ),
            (&["/bin/berglas", "exec", "--"], &["/app"], "berglas exec"),
            (&[], &["sops", "exec-env", "secrets.yaml", "./app"], "sops exec-env"),
            (&["envconsul"], &["-secret", "db", "./app"], "envconsul"),
            (&["/vault/vault-env"], &["./app"], "vault-env"),
            (&[], &["npx", "dotenv", "-e", ".env.prod", "--", "node", "."], "dotenv"),
            (&[], &["node", "-r", "dotenv/config", "main.js"], "dotenv"),
            (&["gosu", "app", "aws-env"], &[], "aws-env"),
            (&["env", "STAGE=prod", "aws-env"], &[], "aws-env"),
            (&["sh", "-c"], &["eval $(aws-env) && exec ./app"], "aws-env"),
            (
                &["/bin/sh", "-c"],
                &["export $(aws ssm get-parameters --names db | jq -r .x) && ./app"],
                "aws ssm",
            ),
            (
                &["sh", "-c"],
                &["DB=\"$(aws --region us-east-1 secretsmanager get-secret-value --secret-id x)\" ./app"],
                "aws secretsmanager",
            ),
            (&["bash", "-lc"], &["set -e; source /secrets/env; exec ./app"], "source"),
            (&["sh", "-c"], &[". /vault/secrets/config && node main.js"], "source"),
            (&["sh", "-c"], &["doppler run -- npm start"], "doppler run"),
        ] {
            assert_eq!(
                wrapper(&words(entry_point), &words(command)),
                Some(name),
                "{entry_point:?} {command:?}"
            );
        }
    }

    #[test]
    fn other_commands() {
        for (entry_point, command) in [
            (&[][..], &[][..]),
            (&["docker-entrypoint.sh"], &["postgres"]),
            (&[], &["npm", "run", "start"]),
            (&["python", "manage.py"], &["runserver"]),
            (&["/app/op"], &["serve"]),
            (&["vault"], &["server", "-config", "/vault/config"]),
            (&[], &["aws", "s3", "sync", "s3://a", "/b"]),
            (&["sh", "-c"], &["bundle exec rake db:migrate && bundle exec puma"]),
            (&["sh", "-c"], &["echo doppler run; ./app"]),
            (&["sh", "-c"], &["./app --config . --source x"]),
            (&["./app"], &["--run", "--doppler"]),
            (&["java", "-jar", "app.jar"], &["--spring.profiles.active=prod"]),
            (&["sleep", "infinity"], &[]),
        ] {
            assert_eq!(
                wrapper(&words(entry_point), &words(command)),
                None,
                "{entry_point:?} {command:?}"
            );
        }
    }

    #[test]
    fn variables_that_tell_where_settings_are() {
        for name in [
            "DB_SECRET_ARN",
            "DATABASE_SECRET_ID",
            "AWS_SECRET_NAME",
            "SECRET_ARN",
            "dbSecretArn",
            "SHOP_SECRETS_ARN",
            "RDS_SECRET_NAME",
            "DOPPLER_TOKEN",
            "INFISICAL_TOKEN",
            "VAULT_ADDR",
            "AWS_APPCONFIG_EXTENSION_PREFETCH_LIST",
            "SPRING_CONFIG_IMPORT",
            "spring.config.import",
            "CONFIG_FILE",
            "APP_CONFIG_FILE",
            "SSM_PATH",
            "APP_SSM_PREFIX",
            "DB_PASSWORD_SSM_PARAMETER",
            "DB_PARAMETER_NAME",
            "PARAMETER_STORE_PATH",
            "CHAMBER_SECRET_BACKEND",
            "SECRETS_MANAGER_ID",
            "SSM_KEY_DB_ENDPOINT",
            "AWS_RDS_SECRET_NAME",
            "ENV_FILE",
            "AIRFLOW__SECRETS__BACKEND",
        ] {
            assert!(fetches_settings(name), "{name}");
        }
        for name in [
            "",
            "SECRET",
            "SECRET_KEY",
            "SECRET_KEY_BASE",
            "AWS_SECRET_ACCESS_KEY",
            "JWT_SECRET",
            "DB_PASSWORD",
            "DATABASE_URL",
            "CLIENT_SECRET",
            "LOG_FILE",
            "PATH",
            "CONFIG",
            "VAULT",
            "DB_NAME",
            "NODE_ENV",
            "AWS_REGION",
            "SSM",
            "CONFIG_ENV",
            "NOSECRET_ARNS",
        ] {
            assert!(!fetches_settings(name), "{name}");
        }
    }
}
