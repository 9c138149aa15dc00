//! `log`, `logger-restart`: the file tells of every answer, in order, and a restart of the logger takes nothing from it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::load::{Account, Load};
use super::{Bench, BrokerUnderTest, Check, Trial, events};
use crate::live::{Action, Error};
use crate::plan::Role;

/// What the logger has taken is on the disk after 50 ms; what the broker has told is on its way for as long.
const SETTLED: Duration = Duration::from_millis(600);

/// The checks of the logger that this broker logs to.
pub fn checks(bench: &Bench<'_>, test: &BrokerUnderTest<'_>) -> Result<Vec<Check>, Error> {
    let Some(logger) = test.logger(bench.plan) else {
        let why = if test.peers.broker.bound_to("logger").is_none() {
            "it has no logger"
        } else {
            "only our broker tells of each answer, and only with `RUST_LOG` unset"
        };
        return Ok(vec![Check::skip("log", test.name(), why)]);
    };
    let (name, is_kept) = (logger.name.as_str(), matches!(&logger.role, Role::Logger { volume: Some(_), .. }));
    let mut made = Vec::new();
    let broker = bench.running(test.name())?;
    let recording = bench.listen(&broker);
    let before = bench.deployment.log(&bench.running(name)?)?;
    let load = Load::start(bench, &broker, test, &["--clients", "4", "--requests", "10"])?;
    let token = load.token.clone();
    let account = load.rest(test.patience() * 2 + test.service * 40)?;
    bench.sleep(SETTLED)?;
    let after = bench.deployment.log(&bench.running(name)?)?;
    let told = recording.ok().map(|recording| {
        let lines: Vec<String> = recording.ready().map(|(_, line)| line).collect();
        replies(&events::parse(lines.iter().map(String::as_str)), &token)
    });
    let mut trouble = account.trouble();
    trouble.extend(judge(&before, &after, &account, &token, told.as_deref()));
    let done = format!("asked {} questions and read the log of `{name}`", account.sent);
    let well =
        format!("{} lines, one for each answer, in the broker's order; what was there before is there still", account.answered().count());
    made.push(Check::judged("log", test.name(), done, well, &trouble, ADVICE));
    if !bench.may(Trial::Restart) {
        return Ok(made);
    }
    if bench.deployment.kind() == "local" && logger.restart == crate::spec::Restart::No {
        made.push(Check::skip("logger-restart", name, "`restart = \"no\"`: nobody would start it again"));
        return Ok(made);
    }
    if !is_kept {
        made.push(Check::skip("logger-restart", name, "its log has no volume, so a restart may empty it"));
        return Ok(made);
    }
    made.push(restart(bench, test, name, &after)?);
    Ok(made)
}

const ADVICE: &str = "does the broker reach the logger, and can the logger write? `cbwgen status` shows its health; a line that is missing was dropped or lost";

/// The logger goes and comes back under load: the file begins as it was, and grows on.
fn restart(bench: &Bench<'_>, test: &BrokerUnderTest<'_>, name: &str, before: &[u8]) -> Result<Check, Error> {
    (bench.progress)(&format!("{name} is restarted under load"));
    let broker = bench.running(test.name())?;
    let logger = bench.running(name)?;
    let load = Load::start(bench, &broker, test, &["--clients", "2", "--rate", "20"])?;
    bench.sleep(Duration::from_secs(1))?;
    bench.deployment.act(&logger, Action::Restart)?;
    bench.sleep(Duration::from_millis(300))?;
    let up = bench.is_up_again(&logger.name)?;
    let between = bench.deployment.log(&bench.running(name)?)?;
    // The broker has to find it again before it is told of answers.
    let grows = bench.until(bench.deployment.patience(), || Ok(bench.deployment.log(&bench.running(name)?)?.len() > between.len()))?;
    let account = load.finish(test.patience() + Duration::from_secs(10))?;
    bench.sleep(SETTLED)?;
    let after = bench.deployment.log(&bench.running(name)?)?;
    let mut trouble = account.trouble();
    if !up {
        trouble.push("the logger did not come back".to_owned());
    }
    for (then, now) in [(before, &between), (&between, &after)] {
        if !now.starts_with(then) {
            trouble.push(format!("the file does not begin as it did: it had {} bytes and has {}", then.len(), now.len()));
        }
    }
    if !grows {
        trouble.push("nothing was written after the restart".to_owned());
    }
    let done = "restarted it while two clients asked";
    let well = format!("every byte that was there is there, and {} more", after.len() - before.len().min(after.len()));
    Ok(Check::judged("logger-restart", name, done, well, &trouble, "keep the log in a volume, and give the logger time to end"))
}

/// The broker's replies to our clients, in order: the numbers of the requests.
fn replies(recorded: &[events::Event], token: &str) -> Vec<u64> {
    let ours = format!("AUD_{token}_");
    recorded.iter().filter(|event| event.event == "reply" && event.client.starts_with(&ours)).filter_map(|event| event.id).collect()
}

/// The `id=` and `client=` of each line that tells of a reply to our clients, text or JSON.
fn lines_of<'a>(log: &'a str, token: &str) -> Vec<(u64, &'a str)> {
    let ours = format!("AUD_{token}_");
    let found = |line: &'a str| {
        let at = line.find(&ours)?;
        let client = line[at..].split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()?;
        let number = |key: &str| line.split_once(key)?.1.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        Some((number(" id=").or_else(|| number("\"id\":"))?, client))
    };
    log.lines().filter(|line| line.contains("reply")).filter_map(found).collect()
}

fn judge(before: &[u8], after: &[u8], account: &Account, token: &str, told: Option<&[u64]>) -> Vec<String> {
    let mut trouble = Vec::new();
    if !after.starts_with(before) {
        trouble.push(format!("the file does not begin as it did: it had {} bytes and has {}", before.len(), after.len()));
        return trouble;
    }
    let text = String::from_utf8_lossy(&after[before.len()..]);
    let lines = lines_of(&text, token);
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    for fact in account.answered() {
        *wanted.entry(fact.client.as_str()).or_default() += 1;
    }
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, client) in &lines {
        *found.entry(client).or_default() += 1;
    }
    if wanted != found {
        trouble.push(format!("{} answers were given, and the log tells of {}", wanted.values().sum::<usize>(), lines.len()));
    } else if let Some(told) = told
        && told.len() == lines.len()
        && !told.iter().eq(lines.iter().map(|(id, _)| id))
    {
        trouble.push("the lines are not in the order in which the broker answered".to_owned());
    }
    trouble
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::load::Fact;

    fn answered(client: &str) -> Fact {
        serde_json::from_value(serde_json::json!({ "what": "answered", "client": client })).unwrap()
    }

    const LOG: &str = "old\n2026 broker DEBUG reply id=7 client=AUD_t_0 worker=w took=1ms\n2026 w DEBUG reply id=1 client=CLI_x\n2026 {\"message\":\"reply\",\"id\":8,\"client\":\"AUD_t_1\"}\n";

    #[test]
    fn each_answer_has_its_line_in_the_brokers_order() {
        let account = Account { facts: vec![answered("AUD_t_0"), answered("AUD_t_1")], sent: 2 };
        let judged = |after: &str, told: &[u64]| judge(b"old\n", after.as_bytes(), &account, "t", Some(told));
        assert_eq!(judged(LOG, &[7, 8]), Vec::<String>::new());
        assert_eq!(judged(LOG, &[8, 7]), ["the lines are not in the order in which the broker answered"]);
        assert_eq!(judged("old\n", &[]), ["2 answers were given, and the log tells of 0"]);
        assert_eq!(judged("new\n", &[]), ["the file does not begin as it did: it had 4 bytes and has 4"]);
    }
}
