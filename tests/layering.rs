//! The layers of the crate: who may import whom, and which module names which outside crate.
//! Reads the sources, so a new edge fails here before it becomes a habit.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What each module may name with `crate::`, besides itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("pipe", &[]),
    ("forward", &[]),
    ("runtime", &[]),
    ("lane", &["runtime"]),
    ("pace", &["lane"]),
    ("engine", &["forward", "lane", "pace"]),
    ("transport", &["protocol", "pipe", "forward", "lane", "pace"]),
    ("session", &["protocol", "engine", "transport"]),
    ("server", &["lane", "session", "transport", "engine", "protocol"]),
    ("client", &["transport", "protocol", "pipe"]),
    ("cli", &["server", "client", "session", "engine", "pipe", "protocol"]),
    ("node", &["server", "client", "session", "engine", "pipe", "transport", "cli", "runtime"]),
];

/// Which modules may name an outside crate.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("bollard", &["engine"]),
    ("hyper", &["engine", "transport"]),
    ("hyper_util", &["engine", "transport"]),
    ("webpki", &["transport"]),
    ("http_body_util", &["engine", "transport"]),
    ("httparse", &["engine"]),
    ("tokio_tungstenite", &["transport"]),
    ("tokio_rustls", &["engine", "transport"]),
    ("rustls", &["engine", "transport"]),
    ("webpki_roots", &["transport"]),
    ("form_urlencoded", &["protocol"]),
    ("clap", &["cli"]),
    ("napi", &["node"]),
    ("napi_derive", &["node"]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "sources are missing: {}", found.len());
    found
}

/// The module that a file belongs to, `None` for the crate's own root and the program.
fn module(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    let name = first.trim_end_matches(".rs");
    (name != "lib" && name != "bin").then(|| name.to_owned())
}

/// The code of a file, without comments and without its tests, which may use anything.
fn code(text: &str) -> String {
    let production = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines = production.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that follow `prefix` wherever it stands as a path, also in `use crate::{a, b}`.
fn names_after(code: &str, prefix: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut item_starts = true;
        for (at, c) in group.char_indices() {
            if depth == 0 && item_starts && !c.is_whitespace() {
                names.push(name(&group[at..]));
                item_starts = false;
            }
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => item_starts = true,
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_go_one_way() {
    let table: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    for (path, text) in sources() {
        let Some(module) = module(&path) else { continue };
        let allowed = table
            .get(module.as_str())
            .unwrap_or_else(|| panic!("{module} is not in the import table"));
        for name in names_after(&code(&text), "crate::") {
            assert!(
                name == module || allowed.contains(&name.as_str()),
                "{} imports crate::{name}, which {module} may not: see src/lib.rs",
                path.display()
            );
        }
    }
}

#[test]
fn each_outside_crate_has_its_module() {
    for (path, text) in sources() {
        let Some(module) = module(&path) else { continue };
        let code = code(&text);
        for (outside, allowed) in MAY_NAME {
            let named = code.match_indices(&format!("{outside}::")).any(|(at, _)| {
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            });
            assert!(
                !named || allowed.contains(&module.as_str()),
                "{} names {outside}, which only {allowed:?} may",
                path.display()
            );
        }
    }
}

#[test]
fn the_reader_of_imports_sees_groups_and_single_paths() {
    let code = "use crate::{a::{x, y}, b};\nuse crate::c::Z;\nlet d = crate::d::new();";
    assert_eq!(names_after(code, "crate::"), ["a", "b", "c", "d"]);
}
