//! `extends`: services that begin as another one, of this file or of another.

use super::{
    Base, Entry, Environment, FilePath, Loader, MAX_CHAIN, Map, Mark, Node, Origin, Path, Rc, Scope, Value, canonical, did_you_mean,
    is_remote_file, merge, paths, reset, rules, unique,
};

impl Loader<'_> {
    /// Resolves `extends` in all services of a document.
    pub(super) fn extend(&mut self, own: &mut Node, path: &FilePath, folder: &FilePath, environment: &Environment, marks: Vec<Mark>) {
        let Some(services) = own.map_mut().and_then(|map| map.get_mut("services")) else { return };
        let Some(services) = services.node.map_mut() else { return };
        if !services.values().any(|entry| entry.node.get("extends").is_some()) {
            return;
        }
        let names: Vec<String> = services.keys().cloned().collect();
        let scope = self.scopes.len();
        self.scopes.push(Scope { file: path.to_owned(), services: std::mem::take(services), marks: marks.into() });
        for name in names {
            self.extend_service(scope, &name, folder, environment, &mut Vec::new());
        }
        if let Some(target) = own.map_mut().and_then(|map| map.get_mut("services")?.node.map_mut()) {
            *target = std::mem::take(&mut self.scopes[scope].services);
        }
    }

    fn extend_service(&mut self, scope: usize, name: &str, folder: &FilePath, environment: &Environment, chain: &mut Vec<(usize, String)>) {
        let place = format!("services.{name}");
        let Some(service) = self.scopes[scope].services.get_mut(name) else { return };
        let service_key = service.key;
        let Some(extends) = service.node.get("extends").cloned() else { return };
        let at = service.node.key("extends");
        if let Some(first) = chain.iter().position(|known| known.0 == scope && known.1 == name) {
            let way: Vec<&str> = chain[first..].iter().map(|(_, name)| name.as_str()).chain([name]).collect();
            let message = format!("the services extend each other: {}", way.join(" → "));
            self.problems.refuse(&rules::reference_loop::RULE, at, format!("{place}.extends"), message, "remove one of the `extends`");
            return;
        }
        if chain.len() > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} services extend each other in a row");
            self.problems.refuse(&rules::too_large::RULE, at, format!("{place}.extends"), message, "extend the first one directly");
            return;
        }
        let (base, base_origin) = match (&extends.value, extends.get("service")) {
            (Value::String(name), _) => (name.clone(), extends.origin),
            (_, Some(Node { value: Value::String(name), origin })) => (name.clone(), *origin),
            (Value::Wrong, _) => return,
            _ => {
                let message = format!("`{place}.extends` does not name a service");
                self.problems.refuse(
                    &rules::missing_key::RULE,
                    at,
                    format!("{place}.extends"),
                    message,
                    "write `extends: { service: NAME }`",
                );
                self.forget(scope, name);
                return;
            }
        };
        let other = extends.get("file").and_then(|node| Some((node.str()?.to_owned(), node.origin)));
        let target = match &other {
            None => Some(scope),
            Some((remote, origin)) if is_remote_file(remote) => {
                self.not_read(remote, *origin, &format!("{place}.extends.file"));
                self.forget(scope, name);
                return;
            }
            Some((named, origin)) => self.scope_of(named, *origin, &place, folder, environment),
        };
        let Some(target) = target else {
            self.forget(scope, name);
            return;
        };
        if !self.scopes[target].services.contains_key(&base) {
            let near = did_you_mean(&base, self.scopes[target].services.keys().map(String::as_str));
            let help = near.map_or_else(|| "name a service of that file".to_owned(), |near| format!("did you mean `{near}`?"));
            let message = format!("`{name}` extends the service `{base}`, which `{}` does not have", self.short(&self.scopes[target].file));
            self.problems.refuse(&rules::unknown_reference::RULE, base_origin, format!("{place}.extends"), message, help);
            self.forget(scope, name);
            return;
        }
        chain.push((scope, name.to_owned()));
        let base_folder = if target == scope { folder.to_owned() } else { self.scopes[target].file.parent().unwrap_or(folder).to_owned() };
        self.extend_service(target, &base, &base_folder, environment, chain);
        chain.pop();
        let size = self.scopes[target].services.get(&base).map_or(0, |entry| entry.node.count());
        if !self.copy(size, at, format!("{place}.extends")) {
            self.forget(scope, name);
            return;
        }
        let Some(mut base) = self.scopes[target].services.get(&base).map(|entry| entry.node.clone()) else { return };
        if base.is_null() {
            return;
        }
        let marks = Rc::clone(&self.scopes[scope].marks);
        reset(&mut base, &marks, &["services", name]);
        let Some(own) = self.scopes[scope].services.get_mut(name).map(|entry| std::mem::take(&mut entry.node)) else { return };
        let services = Path::ROOT.key("services");
        let mut merged = merge(base, own, &services.key(name), &mut self.problems);
        if let Some(map) = merged.map_mut() {
            map.shift_remove("extends");
        }
        self.scopes[scope].services.insert(name.to_owned(), Entry { key: service_key, node: merged });
    }

    /// A service whose `extends` leads nowhere is told once.
    fn forget(&mut self, scope: usize, name: &str) {
        if let Some(entry) = self.scopes[scope].services.get_mut(name) {
            entry.node.value = Value::Wrong;
        }
    }

    /// The services of a file that is extended.
    fn scope_of(&mut self, named: &str, origin: Origin, place: &str, folder: &FilePath, environment: &Environment) -> Option<usize> {
        let path = paths::join(folder, FilePath::new(named));
        if let Some(known) = self.known_scopes.get(&path) {
            return *known;
        }
        self.known_scopes.insert(path.clone(), None);
        if !self.can_read(&path) || self.read(&path).is_err() {
            self.missing(named, &path, origin, &format!("{place}.extends.file"), "extended");
            return None;
        }
        let mut root = Node::new(Origin::default(), Value::Map(Map::default()));
        let mut marks = Vec::new();
        let count = self.documents.get(&path).map_or(0, |(_, documents)| documents.len());
        for index in 0..count {
            let Some((own, own_marks)) = self.document(&path, index, environment) else { continue };
            reset(&mut root, &own_marks, &[]);
            root = merge(root, own, &Path::ROOT, &mut self.problems);
            unique(&mut root, &mut self.problems);
            if self.as_written.is_none() {
                canonical::canonical(&mut root, &mut self.problems);
                unique(&mut root, &mut self.problems);
            }
            marks.extend(own_marks);
        }
        let parent = path.parent().unwrap_or(folder).to_owned();
        match self.as_written.clone() {
            Some(base) => super::written::retell(&mut root, &parent, &base),
            None => paths::resolve(&mut root, Base { folder: &parent, home: self.home.as_deref() }, &mut self.problems),
        }
        let Some(services) = root.map_mut().and_then(|map| map.get_mut("services")).and_then(|entry| entry.node.map_mut()) else {
            let message = format!("`{}` has no services that could be extended", self.short(&path));
            self.problems.refuse(&rules::unknown_reference::RULE, origin, format!("{place}.extends.file"), message, "name another file");
            return None;
        };
        let scope = self.scopes.len();
        self.scopes.push(Scope { file: path.clone(), services: std::mem::take(services), marks: marks.into() });
        self.known_scopes.insert(path, Some(scope));
        Some(scope)
    }
}
