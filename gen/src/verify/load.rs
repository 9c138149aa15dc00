//! Load by the auditor, and what became of every request.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Bench, BrokerUnderTest};
use crate::live::stream::Stream;
use crate::live::{Error, Instance};

/// A line of the auditor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Fact {
    /// `answered`, `refused`, `unanswered`, `again`, `foreign`, `end`.
    pub what: String,
    /// The client.
    #[serde(default)]
    pub client: String,
    /// When the request was sent, in seconds since the auditor's start.
    #[serde(default)]
    pub sent: f64,
    /// How long it took, in seconds.
    #[serde(default)]
    pub took: f64,
    /// Who answered.
    #[serde(default)]
    pub worker: String,
    /// What the broker said instead, or what came that should not.
    #[serde(default)]
    pub text: String,
    /// In the last line: how many requests there were.
    pub requests: Option<u64>,
}

/// What became of all requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// The auditor's lines but the last.
    pub facts: Vec<Fact>,
    /// How many requests were sent.
    pub sent: u64,
}

impl Account {
    fn count(&self, what: &str) -> usize {
        self.facts.iter().filter(|fact| fact.what == what).count()
    }

    /// The requests that got their own answer.
    pub fn answered(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(|fact| fact.what == "answered")
    }

    /// Who answered how many.
    #[must_use]
    pub fn workers(&self) -> BTreeMap<&str, usize> {
        let mut workers = BTreeMap::new();
        for fact in self.answered() {
            *workers.entry(fact.worker.as_str()).or_default() += 1;
        }
        workers
    }

    /// What is not as it should be; empty when each request got exactly its own answer.
    #[must_use]
    pub fn trouble(&self) -> Vec<String> {
        let mut trouble = Vec::new();
        let mut tell = |count: usize, words: &str| {
            if count > 0 {
                trouble.push(format!("{count} of {} {words}", self.sent));
            }
        };
        tell(self.count("unanswered"), "requests had no answer");
        tell(self.count("refused"), "requests got an error reply");
        tell(self.count("again"), "requests were answered again");
        tell(self.count("foreign"), "requests got somebody else's answer");
        let first = |what: &str| self.facts.iter().find(|fact| fact.what == what).map(|fact| fact.text.clone());
        if let Some(text) = first("refused").or_else(|| first("foreign")) {
            trouble.push(format!("for example `{text}`"));
        }
        if self.sent == 0 {
            trouble.push("not one request was sent".to_owned());
        } else if trouble.is_empty() && self.count("answered") as u64 != self.sent {
            trouble.push(format!("{} of {} requests are accounted for", self.count("answered"), self.sent));
        }
        trouble
    }

    /// The longest that an answer took.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_secs_f64(self.answered().map(|fact| fact.took).fold(0.0, f64::max).max(0.0))
    }

    /// The time within which so many of a hundred answers came.
    #[must_use]
    pub fn percentile(&self, hundredth: usize) -> Duration {
        let mut times: Vec<f64> = self.answered().map(|fact| fact.took).collect();
        times.sort_by(f64::total_cmp);
        let at = (times.len() * hundredth).div_ceil(100).max(1) - 1;
        Duration::from_secs_f64(times.get(at).copied().unwrap_or(0.0).max(0.0))
    }

    /// How long it all took, from the first request to the last answer.
    #[must_use]
    pub fn span(&self) -> Duration {
        let begin = self.facts.iter().map(|fact| fact.sent).fold(f64::INFINITY, f64::min);
        let end = self.answered().map(|fact| fact.sent + fact.took).fold(0.0, f64::max);
        Duration::try_from_secs_f64(end - begin).unwrap_or_default()
    }
}

/// An auditor that runs.
pub struct Load {
    stream: Stream,
    account: Account,
    over: bool,
    /// The clients' identities are `AUD_TOKEN_n`.
    pub token: String,
}

impl Load {
    /// Starts an auditor with further arguments: `--clients 8 --requests 50`.
    pub fn start(bench: &Bench<'_>, broker: &Instance, test: &BrokerUnderTest<'_>, arguments: &[&str]) -> Result<Self, Error> {
        let token = token();
        let timeout = format!("{}ms", test.patience().as_millis());
        let fixed = ["--token", &token, "--timeout", &timeout];
        let arguments: Vec<String> = fixed.iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        let stream = bench.deployment.audit(broker, &arguments)?;
        Ok(Self { stream, account: Account::default(), over: false, token })
    }

    /// Wraps an auditor that was started otherwise.
    #[must_use]
    pub fn of(stream: Stream, token: String) -> Self {
        Self { stream, account: Account::default(), over: false, token }
    }

    /// Takes in the lines that have come; how many requests are settled.
    pub fn look(&mut self) -> usize {
        let lines: Vec<String> = self.stream.ready().map(|(_, line)| line).collect();
        for line in lines {
            self.take(&line);
        }
        self.account.facts.len()
    }

    fn take(&mut self, line: &str) {
        let Ok(fact) = serde_json::from_str::<Fact>(line) else { return };
        if fact.what == "end" {
            self.over = true;
            self.account.sent = fact.requests.unwrap_or(0);
        } else {
            self.account.facts.push(fact);
        }
    }

    /// Asks nothing new, and waits until everything is settled.
    pub fn finish(mut self, wait: Duration) -> Result<Account, Error> {
        self.stream.finish();
        self.rest(wait)
    }

    /// Waits until everything is settled.
    pub fn rest(mut self, wait: Duration) -> Result<Account, Error> {
        let (lines, _) = self.stream.rest(wait)?;
        for (_, line) in lines {
            self.take(&line);
        }
        if self.over {
            return Ok(self.account);
        }
        let said = self.stream.complaint();
        Err(Error(format!("the auditor ended early{}", if said.is_empty() { String::new() } else { format!(": {said}") })))
    }
}

/// A word that nobody else has.
#[must_use]
pub fn token() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:012x}", RandomState::new().hash_one(Instant::now()) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(lines: &[&str]) -> Account {
        let facts: Vec<Fact> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        Account { sent: facts.len() as u64, facts }
    }

    #[test]
    fn an_account_with_only_own_answers_has_no_trouble() {
        let account = account(&[r#"{"what":"answered","client":"a","n":1,"sent":0.0,"took":0.5,"worker":"w"}"#]);
        assert_eq!(account.trouble(), Vec::<String>::new());
        assert_eq!((account.longest(), account.percentile(95)), (Duration::from_millis(500), Duration::from_millis(500)));
    }

    #[test]
    fn what_is_wrong_is_counted_and_shown() {
        let account = account(&[
            r#"{"what":"answered","client":"a","n":1,"sent":0.0,"took":0.5,"worker":"w"}"#,
            r#"{"what":"unanswered","client":"a","n":2,"sent":0.0,"took":9.0}"#,
            r#"{"what":"foreign","client":"a","n":3,"sent":0.0,"took":0.1,"text":"b-1 w"}"#,
        ]);
        assert_eq!(
            account.trouble(),
            ["1 of 3 requests had no answer", "1 of 3 requests got somebody else's answer", "for example `b-1 w`"]
        );
    }

    #[test]
    fn nothing_sent_is_no_proof() {
        assert_eq!(Account::default().trouble(), ["not one request was sent"]);
    }
}
