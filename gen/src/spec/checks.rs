//! What must be so once the deployment runs: `checks = [{ http = "http://web.http/", contains = "Welcome" }]`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Something that must be so once the deployment runs; `cbwgen verify` looks. Exactly one of `http` and `tcp`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// An address that is asked for: `"http://web.http/"`. Its host is an endpoint (component.endpoint), a component with one
    /// endpoint, an external, or any other host.
    pub http: Option<String>,
    /// What must take a connection: an endpoint (`"db.sql"`), a component with one endpoint, an external, or `"host:port"`.
    pub tcp: Option<String>,
    /// The status that the answer has. Default: 200.
    #[schemars(extend("default" = 200), range(min = 100, max = 599))]
    pub expect: Option<u16>,
    /// A text that the answer holds.
    pub contains: Option<String>,
}
