//! Asks the machine itself: its firewall, its engine, its open ports. What needs rights that the caller lacks is told, not guessed.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::firewall::Ufw;
use crate::firewall::live::{Holder, Listening, Live, docker_line, proc_line};
use crate::spec::Docker;
use crate::spec::values::Protocol;

/// Reads what there is. Nothing of it stops whoever asks: what could not be read is in [`Live::unread`].
#[must_use]
pub fn read() -> Live {
    let mut unread = Vec::new();
    let ufw = ufw(Path::new("/"), status().as_deref(), &mut unread);
    let listening = listening(Path::new("/proc"), &mut unread);
    Live { ufw, listening, unread }
}

/// What `ufw status verbose` prints, where it may: it asks the kernel, and needs root.
fn status() -> Option<String> {
    let output = Command::new("ufw").args(["status", "verbose"]).env("LC_ALL", "C").output().ok()?;
    if output.status.success() { String::from_utf8(output.stdout).ok() } else { None }
}

/// The firewall, from `ufw status` or else from ufw's files below `root`.
fn ufw(root: &Path, status: Option<&str>, unread: &mut Vec<String>) -> Option<Ufw> {
    let file = |path: &str| std::fs::read_to_string(root.join(path));
    let configuration = match file("etc/ufw/ufw.conf") {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Some(Ufw::off()),
        Err(error) => {
            unread.push(format!("`/etc/ufw/ufw.conf`: {error}; run it as root"));
            return None;
        }
    };
    let ufw = match status.map(Ufw::parse) {
        Some(Ok(ufw)) => ufw,
        // Neither the rules nor the defaults of a firewall that is off matter.
        _ if !configuration.lines().any(|line| line.trim() == "ENABLED=yes") => Ufw::off(),
        _ => match file("etc/ufw/user.rules") {
            Ok(rules) => {
                let defaults = file("etc/default/ufw").unwrap_or_default();
                match Ufw::parse(&format!("{configuration}\n{defaults}\n{rules}")) {
                    Ok(ufw) => ufw,
                    Err(error) => {
                        unread.push(format!("`/etc/ufw/user.rules`: {error}"));
                        return None;
                    }
                }
            }
            Err(error) => {
                unread.push(format!("`/etc/ufw/user.rules`: {error}; ufw is on, but only root may read its rules: run it as root"));
                return None;
            }
        },
    };
    Some(if ufw.active { ufw.with(docker(root, unread)) } else { ufw })
}

/// How the engine stands to the firewall: by its own settings, and by the rules of ufw-docker.
fn docker(root: &Path, unread: &mut Vec<String>) -> Docker {
    let settings = std::fs::read_to_string(root.join("etc/docker/daemon.json")).unwrap_or_default();
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap_or_default();
    if settings.get("iptables") == Some(&serde_json::Value::Bool(false)) {
        return Docker::NoIptables;
    }
    let rules = match std::fs::read_to_string(root.join("etc/ufw/after.rules")) {
        Ok(rules) => rules,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            unread.push(format!("`/etc/ufw/after.rules`: {error}; whether the rules of ufw-docker are in it only root may see"));
            String::new()
        }
    };
    let hooks = |line: &str| line.contains("-A DOCKER-USER") && line.contains("-j ufw-user-forward");
    if rules.lines().any(|line| !line.trim_start().starts_with('#') && hooks(line)) { Docker::UfwDocker } else { Docker::Plain }
}

/// Every taken port, with who has it.
fn listening(proc: &Path, unread: &mut Vec<String>) -> Vec<Listening> {
    let mut sockets = Vec::new();
    for (file, protocol) in [("tcp", Protocol::Tcp), ("tcp6", Protocol::Tcp), ("udp", Protocol::Udp), ("udp6", Protocol::Udp)] {
        match std::fs::read_to_string(proc.join("net").join(file)) {
            Ok(text) => sockets.extend(text.lines().filter_map(|line| proc_line(line, protocol)).map(|socket| (socket, protocol))),
            // Without IPv6 there are no such files.
            Err(error) if error.kind() == ErrorKind::NotFound && file.ends_with('6') => {}
            Err(error) => unread.push(format!("`/proc/net/{file}`: {error}; ports that are taken already are not known")),
        }
    }
    let wanted: HashSet<u64> = sockets.iter().map(|((_, _, inode), _)| *inode).collect();
    let holders = holders(proc, &wanted);
    let containers = containers();
    let mut listening: Vec<Listening> = containers.iter().flatten().cloned().collect();
    for ((address, port, inode), protocol) in sockets {
        let holder = holders.get(&inode).map_or(Holder::Hidden, |(pid, name)| Holder::Process { pid: *pid, name: name.clone() });
        if matches!(&holder, Holder::Process { name, .. } if name == "docker-proxy") {
            // It holds a port for a container, which is told by name; or nobody can say for which.
            if containers.is_none() {
                unread.push(format!("`docker ps`: it does not answer; which container has host port {port}/{protocol} is not known"));
            }
            continue;
        }
        let known = |one: &Listening| one.port == port && one.protocol == protocol;
        if holder == Holder::Hidden && listening.iter().any(|one| matches!(one.holder, Holder::Container { .. }) && known(one)) {
            continue;
        }
        listening.push(Listening { address, port, protocol, holder });
    }
    listening.sort_by_key(|one| (one.port, one.protocol, one.address));
    listening
}

/// Which process has which socket, as far as the caller may see: `/proc/PID/fd/N` is a link to `socket:[INODE]`.
fn holders(proc: &Path, wanted: &HashSet<u64>) -> HashMap<u64, (u32, String)> {
    let mut holders = HashMap::new();
    for process in std::fs::read_dir(proc).into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        for descriptor in std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(link) = std::fs::read_link(descriptor.path()) else { continue };
            let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok());
            let Some(inode) = inode.filter(|inode| wanted.contains(inode)) else { continue };
            holders.entry(inode).or_insert_with(|| {
                let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                (pid, name.trim_end().to_owned())
            });
        }
    }
    holders
}

/// The ports of running containers; `None` when no engine answers.
fn containers() -> Option<Vec<Listening>> {
    const FORMAT: &str = "{{.Names}}\t{{.Label \"com.docker.compose.project\"}}\t{{.Label \"com.docker.compose.service\"}}\t{{.Ports}}";
    let output = Command::new("docker").args(["ps", "--no-trunc", "--format", FORMAT]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).lines().flat_map(docker_line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const RULES: &str = "### tuple ### deny tcp 9998 0.0.0.0/0 any 0.0.0.0/0 in\n";

    #[test]
    fn a_machine_without_ufw_has_no_firewall() {
        let mut unread = Vec::new();
        let found = ufw(machine(&[]).path(), None, &mut unread).unwrap();
        assert!(!found.active && unread.is_empty());
    }

    #[test]
    fn files_tell_what_ufw_itself_does_not() {
        let files = [
            ("etc/ufw/ufw.conf", "ENABLED=yes\n"),
            ("etc/ufw/user.rules", RULES),
            ("etc/default/ufw", "DEFAULT_INPUT_POLICY=\"ACCEPT\"\n"),
        ];
        let root = machine(&files);
        let found = ufw(root.path(), None, &mut Vec::new()).unwrap();
        assert!(found.active && found.default_allow && found.rules.len() == 1 && found.docker == Docker::Plain);
        let found = ufw(root.path(), Some("Status: inactive\n"), &mut Vec::new()).unwrap();
        assert!(!found.active, "what ufw says of itself weighs more");
        std::fs::write(root.path().join("etc/ufw/ufw.conf"), "ENABLED=no\n").unwrap();
        assert!(!ufw(root.path(), None, &mut Vec::new()).unwrap().active);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let mut unread = Vec::new();
        let root = machine(&[("etc/ufw/ufw.conf", "ENABLED=yes\n")]);
        assert_eq!(ufw(root.path(), None, &mut unread), None);
        assert_eq!(
            unread,
            ["`/etc/ufw/user.rules`: No such file or directory (os error 2); ufw is on, but only root may read its rules: run it as root"]
        );
    }

    #[test]
    fn the_engine_and_ufw_docker_are_known_by_their_files() {
        let mode = |files: &[(&str, &str)]| docker(machine(files).path(), &mut Vec::new());
        assert_eq!(mode(&[("etc/docker/daemon.json", "{\"iptables\": false}")]), Docker::NoIptables);
        assert_eq!(
            mode(&[("etc/docker/daemon.json", "{}"), ("etc/ufw/after.rules", "# -A DOCKER-USER -j ufw-user-forward\n")]),
            Docker::Plain
        );
        assert_eq!(mode(&[("etc/ufw/after.rules", "*filter\n-A DOCKER-USER -j ufw-user-forward\n")]), Docker::UfwDocker);
    }

    #[test]
    fn an_open_port_of_this_process_is_found_with_its_name() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = listening(Path::new("/proc"), &mut Vec::new());
        let own = found.iter().find(|one| one.port == port && one.protocol == Protocol::Tcp).unwrap();
        assert!(matches!(&own.holder, Holder::Process { pid, name } if *pid == std::process::id() && !name.is_empty()), "{own:?}");
    }
}
