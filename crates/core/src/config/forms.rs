//! Texts with a form of their own: durations, CIDR blocks, account ids and so on.
//!
//! A field names its form through a marker type (`#[schemars(with = "forms::Account")]`), which puts it into the JSON
//! Schema as `pattern`, for editors, and as `x-form`, by which the validation of a configuration finds the form again.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::yaml::quote;

/// Longer than any sensible interval, and short enough that no instant plus one of these leaves the calendar.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// What is wrong with a text, without the text itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// No duration.
    #[error("is not a duration; write it like 15m, 72h, 10s or 1h30m")]
    NotDuration,
    /// A duration that leaves the calendar.
    #[error("is longer than 366 days")]
    TooLong,
    /// No share.
    #[error("is not a share from 0% to 100%; write it like 10%")]
    NotShare,
    /// No block of addresses.
    #[error("is not a CIDR block such as 10.0.0.0/16")]
    NotCidr,
    /// An address.
    #[error("has no prefix length; a single address is {0}")]
    NoPrefixLength(IpNet),
    /// A block with bits after its prefix.
    #[error("has bits set after its prefix; write {} or {}/{}", .0.trunc(), .0.addr(), .0.max_prefix_len())]
    HostBits(IpNet),
    /// A queue's URL with a user, or with a password.
    #[error("the queue's URL must not hold credentials; they come from the AWS SDK's chain")]
    Credentials,
    /// No queue's URL.
    #[error("is not a queue's URL such as https://sqs.us-east-1.amazonaws.com/123456789012/holdfast")]
    NotQueueUrl,
    /// No account id.
    #[error("is not an AWS account id, which has 12 digits")]
    NotAccount,
    /// No region.
    #[error("is not an AWS region such as us-east-1")]
    NotRegion,
    /// No role's ARN.
    #[error("is not a role's ARN such as arn:aws:iam::123456789012:role/holdfast")]
    NotRoleArn,
    /// No name of a variable.
    #[error("is not an environment variable's name (letters, digits and _)")]
    NotEnvName,
    /// No absolute path.
    #[error("is not an absolute path; begin it with /")]
    NotAbsolute,
    /// No repository.
    #[error("is not a repository such as grafana/grafana, without registry, tag and digest")]
    NotRepository,
    /// No name of a setting.
    #[error("is not a variable's name; it may hold letters, digits and _ . - :, and one * for any text")]
    NotSetting,
    /// No command-line flag.
    #[error("is not a command-line flag such as --db-url")]
    NotFlag,
    /// No id of a family.
    #[error("is not an id; it may hold lower-case letters, digits and -")]
    NotFamilyId,
    /// No engine.
    #[error("is not an engine: postgres, another's name in lower case such as mysql, built-in SQLite, or unknown")]
    NotEngine,
    /// No link.
    #[error("is not a link that begins with https://")]
    NotHttps,
    /// No security group's id.
    #[error("is not a security group's id such as sg-0123456789abcdef0")]
    NotSecurityGroup,
    /// No host name. The text isn't repeated: a whole URL may stand there, with its password.
    #[error("a host name has only letters, digits, - and ., such as db.shop.internal: no scheme, user, port or path")]
    NotHost,
    /// AWS's own tags.
    #[error("begins with aws:, which AWS keeps for itself")]
    ReservedPrefix,
    /// Nothing, or blanks.
    #[error("is empty")]
    Empty,
    /// More characters (the first number) than a tag has room for.
    #[error("has {0} characters; at most {1} fit into the tag")]
    TooLongForTag(usize, usize),
    /// A character that no tag may have.
    #[error("holds {0:?}, which AWS allows in no tag; it allows letters, digits, spaces and _ . : / = + - @")]
    NotOfTags(char),
}

/// A text without the form that it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown}{error}")]
pub(super) struct Misformed {
    /// The text in quotes; empty where it might hold a password.
    shown: String,
    error: FormError,
}

/// Reads a duration: whole numbers with `d`, `h`, `m`, `s` or `ms`, largest unit first, nothing between them.
///
/// # Errors
/// [`FormError::NotDuration`] or [`FormError::TooLong`].
pub fn parse_duration(text: &str) -> Result<Duration, FormError> {
    // Units with their length in milliseconds, in the one order in which they may follow each other.
    const UNITS: [(&str, u64); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut next_unit = 0;
    while next_unit == 0 || !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err(FormError::NotDuration);
        }
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let position = UNITS
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or(FormError::NotDuration)?;
        if position < next_unit {
            return Err(FormError::NotDuration);
        }
        let number: u64 = number.parse().map_err(|_| FormError::TooLong)?;
        let part = number.checked_mul(UNITS[position].1).ok_or(FormError::TooLong)?;
        millis = millis.checked_add(part).ok_or(FormError::TooLong)?;
        next_unit = position + 1;
        rest = after;
    }
    let duration = Duration::from_millis(millis);
    if duration > LONGEST {
        Err(FormError::TooLong)
    } else {
        Ok(duration)
    }
}

/// Writes a duration the way [`parse_duration`] reads it, in hours, minutes, seconds and milliseconds; `0s` for none.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let parts = [
        (millis / 3_600_000, "h"),
        (millis / 60_000 % 60, "m"),
        (millis / 1000 % 60, "s"),
        (millis % 1000, "ms"),
    ];
    let mut text = String::new();
    for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&number.to_string());
        text.push_str(unit);
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// For `#[serde(with = ...)]` on a [`Duration`] or an [`Option`] of one: text such as `15m`.
pub(super) mod duration {
    use super::{Deserialize, Deserializer, Duration, Serializer, format_duration, parse_duration};

    pub fn serialize<D: Copy + Into<Option<Duration>>, S: Serializer>(
        duration: &D,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match (*duration).into() {
            Some(duration) => serializer.serialize_str(&format_duration(duration)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: From<Duration>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = parse_duration(&text).map_err(|e| serde::de::Error::custom(format!("{text:?} {e}")))?;
        Ok(duration.into())
    }
}

/// A share in whole percent, 0 to 100, written `10%`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

impl Percent {
    /// `percent` of a whole; more than 100 counts as 100.
    #[must_use]
    pub const fn new(percent: u8) -> Self {
        if percent > 100 { Self(100) } else { Self(percent) }
    }

    /// The share as a factor from 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Percent {
    type Err = FormError;

    /// Reads `10%`.
    fn from_str(text: &str) -> Result<Self, FormError> {
        let digits = text.strip_suffix('%').filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        match digits.map(str::parse::<u8>) {
            Some(Ok(percent)) if percent <= 100 => Ok(Self(percent)),
            _ => Err(FormError::NotShare),
        }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|e| serde::de::Error::custom(format!("{text:?} {e}")))
    }
}

/// Defines [`Form`], and for each of its variants a marker type that names it in schemas.
macro_rules! forms {
    ($($(#[doc = $doc:literal])+ $form:ident $name:literal $pattern:literal $example:literal;)+) => {
        /// A kind of text with a form of its own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Form { $($form),+ }

        impl Form {
            /// The form of a name, as in a schema's `x-form`.
            pub(super) fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$form),)+
                    _ => None,
                }
            }
        }

        $(
            $(#[doc = $doc])+
            pub(super) struct $form;

            impl JsonSchema for $form {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($form).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({"type": "string", "pattern": $pattern, "x-form": $name, "examples": [$example]})
                }
            }
        )+
    };
}

forms! {
    /// A length of time.
    Span "duration" r"^[0-9]+(d|h|m|s|ms)([0-9]+(h|m|s|ms))*$" "15m";
    /// A share of a whole.
    Share "percent" r"^(100|[0-9]{1,2})%$" "10%";
    /// A block of IPv4 or IPv6 addresses.
    Cidr "cidr" r"^[0-9a-fA-F:.]+/[0-9]{1,3}$" "10.0.0.0/16";
    /// An AWS account id.
    Account "account" r"^[0-9]{12}$" "123456789012";
    /// An AWS region.
    Region "region" r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$" "us-east-1";
    /// An IAM role's ARN.
    RoleArn "role-arn" r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$" "arn:aws:iam::123456789012:role/holdfast";
    /// An SQS queue's URL.
    QueueUrl "queue-url" r"^https?://[^@]+$" "https://sqs.us-east-1.amazonaws.com/123456789012/holdfast";
    /// The name of an environment variable.
    EnvName "environment-variable" r"^[A-Za-z_][A-Za-z0-9_]*$" "DATABASE_URL";
    /// An absolute path inside a container.
    AbsolutePath "absolute-path" r"^/" "/var/lib/data";
    /// A repository of images, without its registry.
    Repository "repository" r"^[a-z0-9._-]+(/[a-z0-9._-]+)*$" "grafana/grafana";
    /// The name of a variable in a container, of which `*` is any part.
    Setting "setting" r"^[A-Za-z0-9_.:*-]+$" "KC_DB_URL";
    /// A command-line flag.
    Flag "flag" r"^-{1,2}[A-Za-z0-9]" "--db-url";
    /// The id of a family.
    FamilyId "family-id" r"^[a-z0-9-]+$" "keycloak";
    /// An engine.
    EngineWord "engine" r"^(built-in \S.*|[a-z0-9-]+)$" "postgres";
    /// A link.
    HttpsUrl "https-url" r"^https://\S+$" "https://www.keycloak.org/server/db";
    /// A host name or address.
    Host "host" r"^[0-9A-Za-z_.:-]+$" "db.shop.internal";
    /// A security group's id.
    SecurityGroup "security-group" r"^sg-[0-9a-z]+$" "sg-0123456789abcdef0";
    /// The beginning of Holdfast's tag keys.
    TagPrefix "tag-prefix" r##"^[^!"#$%&'()*,;<>?\[\\\]^`{|}~]{1,64}$"## "holdfast:";
    /// A workload's name: what an AWS tag value may hold.
    Workload "workload" r##"^[^!"#$%&'()*,;<>?\[\\\]^`{|}~]{1,256}$"## "coder";
    /// Any text but an empty one.
    NonEmpty "non-empty" r"\S" "holdfast";
}

/// For the keys of a map of workloads, which a marker type can't reach.
pub(super) fn workload_names() -> Schema {
    Workload::json_schema(&mut SchemaGenerator::default())
}

impl Form {
    /// Whether `text` has this form.
    ///
    /// # Errors
    /// What is wrong with it and how to write it, beginning with the text itself.
    pub(super) fn check(self, text: &str) -> Result<(), Misformed> {
        let error = match self {
            Self::Span => parse_duration(text).err(),
            Self::Share => text.parse::<Percent>().err(),
            Self::Cidr => check_cidr(text).err(),
            Self::QueueUrl => check_queue_url(text).err(),
            Self::Account => (!is_account(text)).then_some(FormError::NotAccount),
            Self::Region => (!is_region(text)).then_some(FormError::NotRegion),
            Self::RoleArn => role_account(text).is_none().then_some(FormError::NotRoleArn),
            Self::EnvName => {
                let mut chars = text.bytes();
                let first = chars.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
                let good = first && chars.all(|b| b.is_ascii_alphanumeric() || b == b'_');
                (!good).then_some(FormError::NotEnvName)
            }
            Self::AbsolutePath => (!text.starts_with('/')).then_some(FormError::NotAbsolute),
            Self::Repository => {
                let part = |p: &str| !p.is_empty() && p.bytes().all(|b| is_lower_word(b) || b"._".contains(&b));
                (!text.split('/').all(part)).then_some(FormError::NotRepository)
            }
            Self::Setting => {
                let good = |b: u8| b.is_ascii_alphanumeric() || b"_.-:*".contains(&b);
                let one = text.matches('*').count() <= 1 && text.chars().any(char::is_alphabetic);
                (!one || !text.bytes().all(good)).then_some(FormError::NotSetting)
            }
            Self::Flag => {
                let name = text
                    .strip_prefix("--")
                    .or_else(|| text.strip_prefix('-'))
                    .unwrap_or_default();
                let good = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.contains([' ', '=']);
                (!good).then_some(FormError::NotFlag)
            }
            Self::FamilyId => {
                let good = !text.is_empty() && text.bytes().all(is_lower_word);
                (!good).then_some(FormError::NotFamilyId)
            }
            Self::EngineWord => {
                let good = match text.strip_prefix("built-in ") {
                    Some(store) => !store.trim().is_empty(),
                    None => !text.is_empty() && text.bytes().all(is_lower_word),
                };
                (!good).then_some(FormError::NotEngine)
            }
            Self::HttpsUrl => {
                let rest = text.strip_prefix("https://").unwrap_or_default();
                (rest.is_empty() || rest.contains(char::is_whitespace)).then_some(FormError::NotHttps)
            }
            Self::Host => (!is_host(text)).then_some(FormError::NotHost),
            Self::SecurityGroup => {
                let id = text.strip_prefix("sg-").unwrap_or_default();
                let good = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
                (!good).then_some(FormError::NotSecurityGroup)
            }
            Self::TagPrefix => check_tag_text(text, 64).err().or_else(|| {
                let reserved = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
                reserved.then_some(FormError::ReservedPrefix)
            }),
            Self::Workload => check_tag_text(text, 256).err(),
            Self::NonEmpty => text.trim().is_empty().then_some(FormError::Empty),
        };
        let Some(error) = error else { return Ok(()) };
        // What might hold a password is not repeated.
        let shown = match error {
            FormError::Credentials | FormError::NotHost => String::new(),
            _ => format!("{} ", quote(text)),
        };
        Err(Misformed { shown, error })
    }
}

/// A letter, digit or hyphen as ids have them.
fn is_lower_word(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

fn check_cidr(text: &str) -> Result<(), FormError> {
    if let Ok(net) = text.parse::<IpNet>() {
        // AWS drops the host bits without a word; a person who wrote them meant something else.
        return if net.addr() == net.network() {
            Ok(())
        } else {
            Err(FormError::HostBits(net))
        };
    }
    match text.parse::<IpAddr>() {
        Ok(address) => Err(FormError::NoPrefixLength(IpNet::from(address))),
        Err(_) => Err(FormError::NotCidr),
    }
}

fn check_queue_url(text: &str) -> Result<(), FormError> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        _ if text.contains('@') => Err(FormError::Credentials),
        Some(rest) if !rest.starts_with('/') && rest.contains('/') && !text.contains(char::is_whitespace) => Ok(()),
        _ => Err(FormError::NotQueueUrl),
    }
}

fn is_host(text: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let name = text.strip_suffix('.').unwrap_or(text);
    text.parse::<IpAddr>().is_ok() || name.split('.').all(label)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return false;
    };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    (2..=4).contains(&first.len())
        && word(first)
        && !middle.is_empty()
        && middle.iter().all(|part| word(part))
        && (1..=2).contains(&last.len())
        && last.bytes().all(|b| b.is_ascii_digit())
}

/// The account of a role's ARN.
pub(super) fn role_account(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let (arn, partition, service, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (account, resource) = (parts.next()?, parts.next()?);
    let named = resource.strip_prefix("role/").is_some_and(|name| !name.is_empty());
    let whole = arn == "arn" && partition.starts_with("aws") && service == "iam" && region.is_empty();
    (whole && named && is_account(account)).then_some(account)
}

/// AWS's own rule for the text of tags.
fn check_tag_text(text: &str, longest: usize) -> Result<(), FormError> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        Err(FormError::Empty)
    } else if length > longest {
        Err(FormError::TooLongForTag(length, longest))
    } else if let Some(bad) = text
        .chars()
        .find(|c| !(c.is_alphanumeric() || " _.:/=+-@".contains(*c)))
    {
        Err(FormError::NotOfTags(bad))
    } else {
        Ok(())
    }
}
