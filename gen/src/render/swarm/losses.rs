//! What of a plan no stack file can say.

use super::view;
use crate::finding::below;
use crate::plan::{Component, Condition, ImageSource, Origin, Plan};
use crate::render::{Loss, text};
use crate::rules::list;
use crate::source::Pointer;

/// What a Swarm cannot do of a plan, component by component.
#[must_use]
pub fn losses(plan: &Plan) -> Vec<Loss> {
    let names = view::secret_names(plan);
    let mut losses = Vec::new();
    for component in plan.deployed().filter(|component| component.replicas > 0) {
        losses.extend(open_backend(component));
        losses.extend(start_order(plan, component));
        losses.extend(one_address(component));
        losses.extend(secrets_of_the_environment(plan, &names, component));
        losses.extend(new_privileges(component));
        losses.extend(alternatives(component));
        losses.extend(ports_of_one_node(plan, component));
        losses.extend(volumes_of_one_node(plan, component));
    }
    losses.extend(images_of_one_node(plan));
    losses
}

/// A port is open on the node where the instance runs, and on no other.
fn ports_of_one_node(plan: &Plan, component: &Component) -> Option<Loss> {
    let published = component.published.first()?;
    let (name, port) = (&component.name, published.host_port);
    if component.replicas > 1 && plan.nodes.is_empty() {
        return Some(Loss {
            pointer: published.pointer.clone(),
            what: format!("in a Swarm each of the {} instances of `{name}` needs a node of its own for port {port}", component.replicas),
            effect: "where there are fewer nodes the others are not started; Swarm says \"host-mode port already in use\"".to_owned(),
            remedy: "state the nodes (`[node.NAME]`) and it can be judged, or run no more instances than there are nodes".to_owned(),
        });
    }
    let somewhere = plan.nodes.len() > 1 && component.placement.node.is_none() && (component.replicas as usize) < plan.nodes.len();
    somewhere.then(|| Loss {
        pointer: published.pointer.clone(),
        what: format!("in a Swarm port {port} of `{name}` is open only on the node where `{name}` runs"),
        effect: "that is another node after each failure, and clients outside cannot know which".to_owned(),
        remedy: format!("add `placement = {{ node = \"{}\" }}`, or give clients the addresses of all nodes", first_node(plan)),
    })
}

/// What is kept on one node keeps its user there.
fn volumes_of_one_node(plan: &Plan, component: &Component) -> Option<Loss> {
    if plan.nodes.len() < 2 || component.placement.node.is_some() || !view::needs_a_node(component) {
        return None;
    }
    let name = &component.name;
    let kept = component.volumes.iter().find(|volume| view::is_kept(volume))?;
    Some(Loss {
        pointer: component.pointer.clone(),
        what: format!("`{}` of `{name}` is on one node, and nothing says on which", kept.source),
        effect: format!("the stack file keeps `{name}` on a manager; where another manager takes over it starts there without its data"),
        remedy: format!("add `placement = {{ node = \"{}\" }}` to `{name}`", first_node(plan)),
    })
}

/// A stack file builds nothing and brings no image to a node.
fn images_of_one_node(plan: &Plan) -> Option<Loss> {
    let mut built = plan.deployed().filter(|component| component.is_built_here() && component.replicas > 0);
    let first = built.next().filter(|_| plan.nodes.len() > 1)?;
    let names = list(std::iter::once(first).chain(built).map(|component| component.name.as_str()));
    Some(Loss {
        pointer: first.pointer.clone(),
        what: format!("a stack file builds no images, and those of {names} are built on one node"),
        effect: "on another node an instance is rejected (\"No such image\") until the image is there".to_owned(),
        remedy:
            "deploy with `make deploy TARGET=swarm NODES=\"ssh://b ssh://c\"`, which hands the images to these engines, or push them to a \
                 registry"
                .to_owned(),
    })
}

/// A node for an example.
fn first_node(plan: &Plan) -> &str {
    plan.nodes.keys().next().map_or("NAME", |node| node.as_str())
}

/// A key of a component, or its name where the file does not say the key.
fn at(component: &Component, keys: &[&str]) -> Pointer {
    keys.iter().fold(component.pointer.clone(), |pointer, key| below(&pointer, key))
}

/// Compose keeps clients from the workers' port: our broker listens for workers on the address of one network only.
fn open_backend(component: &Component) -> Option<Loss> {
    component.env.iter().find(|(name, variable)| view::is_backend_host(component, name, variable.origin))?;
    Some(Loss {
        pointer: component.pointer.clone(),
        what: format!("in a Swarm broker `{}` listens for workers on all of its networks", component.name),
        effect: "a program in a client's container could register as a worker and be given requests of others; Swarm makes the name of \
                 the workers' network known only when the broker is healthy, too late to listen on it"
            .to_owned(),
        remedy: "run clients that you do not trust with `outside = true`, on another machine".to_owned(),
    })
}

/// Swarm starts everything at once. Our own programs wait for each other by themselves.
fn start_order(plan: &Plan, component: &Component) -> Option<Loss> {
    if component.is_own() {
        return None;
    }
    let awaited = component.depends_on.iter().filter(|(_, condition)| **condition == Condition::Healthy).map(|(name, _)| name.as_str());
    let awaited: Vec<&str> = awaited.filter(|name| plan.component(name).is_some_and(|other| other.replicas > 0)).collect();
    if awaited.is_empty() {
        return None;
    }
    let (name, others) = (&component.name, list(awaited));
    let again = match component.restart.as_str() {
        "no" => "it may end with an error, and nothing starts it again",
        _ => "it may fail and is started again until it finds them",
    };
    Some(Loss {
        pointer: at(component, &["needs"]),
        what: format!("in a Swarm `{name}` does not wait until {others} is healthy"),
        effect: format!("everything starts at once: {again}"),
        remedy: format!("let the program in `{name}` try again until its peer answers"),
    })
}

/// A port of a node is open on all of its addresses.
fn one_address(component: &Component) -> Vec<Loss> {
    let published =
        component.published.iter().filter_map(|published| Some((published, published.address.filter(|a| !a.is_unspecified())?)));
    published
        .map(|(published, address)| Loss {
            pointer: published.pointer.clone(),
            what: format!("a Swarm cannot publish port {} of `{}` on {address} alone", published.host_port, component.name),
            effect: "the port is left out of the stack file, since it would be open on all addresses of the node: nobody reaches it from \
                     outside"
                .to_owned(),
            remedy: format!("publish it on all addresses (`{} = {}`) behind a firewall", published.endpoint, published.host_port),
        })
        .collect()
}

/// The CLI hands over files, no variables.
fn secrets_of_the_environment(plan: &Plan, names: &view::SecretNames<'_>, component: &Component) -> Vec<Loss> {
    let of_env = component.secrets.iter().filter_map(|(name, secret)| Some((name, secret.env.as_ref()?)));
    of_env
        .map(|(name, variable)| {
            let known = names.get(&(component.name.as_str(), name.as_str())).map_or(name, |known| known);
            let known = view::external_name(plan, known);
            Loss {
                pointer: at(component, &["secrets", name]),
                what: format!("a stack file cannot take the secret `{name}` from the variable `{variable}`"),
                effect: format!("it expects that the Swarm has a secret `{known}`, and `docker stack deploy` fails without"),
                remedy: format!("run `printf %s \"${variable}\" | docker secret create {known} -` first, or use `file`"),
            }
        })
        .collect()
}

/// `${VAR:+x}` is no form that the CLI's reader of stack files knows.
fn alternatives(component: &Component) -> Vec<Loss> {
    let image = match &component.image {
        ImageSource::Ready(image) => Some((at(component, &["image"]), image.as_str())),
        _ => None,
    };
    let env = component.env.iter().filter(|(_, variable)| variable.origin == Origin::User);
    let env = env.map(|(name, variable)| (at(component, &["env", name]), variable.value.as_str()));
    let texts = env.chain(image).filter(|(_, text)| text::has_alternative(text));
    texts
        .map(|(pointer, text)| Loss {
            pointer,
            what: format!("a stack file cannot say `{}`", crate::source::decode::shorten(text)),
            effect: "`docker stack deploy` refuses the whole file: \"invalid interpolation format\"".to_owned(),
            remedy: "write `${VAR}` or `${VAR:-default}`, and set the variable when you deploy".to_owned(),
        })
        .collect()
}

/// `security_opt` is passed over. Where all capabilities are dropped, or where root runs anyway, it makes no difference.
fn new_privileges(component: &Component) -> Option<Loss> {
    let user = component.user.as_ref().filter(|user| !user.starts_with("0:") && *user != "0")?;
    if component.drop_capabilities || !matches!(component.image, ImageSource::Ready(_)) {
        return None;
    }
    Some(Loss {
        pointer: at(component, &["user"]),
        what: format!("a stack file cannot forbid `{}` to gain privileges", component.name),
        effect: format!("a setuid program in its image makes root of user `{user}`"),
        remedy: "put `\"no-new-privileges\": true` into `/etc/docker/daemon.json` of every node".to_owned(),
    })
}
