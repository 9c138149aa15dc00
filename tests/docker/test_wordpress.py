"""WordPress with its database, really installed: programs of other makers, deployed from `examples/wordpress.toml`.

The tests tell one story, in this order: installed, a page written, taken down and up again, and then with a wrong password.
"""

import json
import os
import re
import secrets
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import xmlrpc.client
from pathlib import Path

import pytest
from conftest import HERE, REPOSITORY, run, states

CBWGEN = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug" / "cbwgen"
PORT = 18080
SITE = f"http://127.0.0.1:{PORT}"
ADMIN = ("admin", secrets.token_hex(16))
PAGE = "The cat sat on the message queue."
PATIENCE = 120.0  # how long anything may take before the test says that it hangs


@pytest.fixture(scope="module")
def password():
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def wordpress(deployment):
    """The example, on a port of its own."""
    run(HERE / "wordpress" / "build", "mariadb:11.4", "wordpress:6.8")
    example = deployment("examples/wordpress.toml")
    example.spec.write_text(example.spec.read_text().replace("web = 8080", f"web = {PORT}"))
    return example


@pytest.fixture(scope="module")
def deployed(wordpress, password):
    return wordpress.make("deploy", env={"DB_PASSWORD": password})


def compose(example, *arguments, password, check=True):
    variables = {"DB_PASSWORD": password, "WORDPRESS_PASSWORD": "not the right one"}
    file = example.out / "docker-compose.yml"
    return run("docker", "compose", "-f", file, *arguments, check=check, env={**os.environ, **variables})


def ask(url, form=None):
    """Status and text of an answer, whatever it is; (0, why) without one."""
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(url, data, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def until(condition, what):
    """Polls until the condition gives something true, and returns that."""
    give_up = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < give_up, f"still not so: {what}"
        time.sleep(0.2)
    return value


def checks(example):
    """The checks of the plan, as `cbwgen plan` resolves them."""
    return json.loads(run(CBWGEN, "plan", example.spec, "--format", "json").stdout)["checks"]


def verify(example, expect=0):
    """What `cbwgen verify` says of the checks of the topology."""
    done = subprocess.run(
        [CBWGEN, "verify", example.spec, "--format", "json"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return [check for check in json.loads(done.stdout)["checks"] if check["name"] == "stated"]


def change(example, old, new):
    text = example.spec.read_text()
    assert old in text
    example.spec.write_text(text.replace(old, new))
    run(CBWGEN, "render", example.spec, "--out", example.out)


def failed_checks(example, service):
    """What the health check of a container said when it failed."""
    [container] = example.containers(service)
    log = container["State"].get("Health", {}).get("Log") or []
    return [entry["Output"] for entry in log if entry["ExitCode"] != 0]


def test_lint_has_nothing_to_say():
    assert run(CBWGEN, "lint", REPOSITORY / "examples" / "wordpress.toml", "--deny", "notes").stdout == ""


def test_everything_comes_up_and_every_check_of_the_plan_passes(wordpress, deployed):
    assert wordpress.services() == {"mariadb": 1, "wordpress": 1}
    assert set(states(wordpress.containers())) == {("running", 0, "healthy")}
    http, tcp = checks(wordpress)
    status, text = ask(http["url"])
    assert status == http["expect"]
    assert http["contains"] in text
    assert (tcp["component"], tcp["endpoint"], tcp["port"]) == ("mariadb", "sql", 3306)
    assert tcp["address"] is None, "nobody but WordPress reaches the database"
    proof = verify(wordpress)
    assert [check["outcome"] for check in proof] == ["pass", "pass"], proof


def test_the_password_is_in_no_file_and_in_no_environment(wordpress, deployed, password):
    for file in wordpress.out.rglob("*"):
        assert file.is_dir() or password not in file.read_text(), file
    for container in wordpress.containers():
        assert password not in json.dumps(container["Config"]), container["Name"]


def test_wordpress_is_installed_and_a_page_is_written(wordpress, deployed):
    user, login = ADMIN
    form = {"weblog_title": "Messages", "user_name": user, "admin_password": login, "admin_password2": login}
    form |= {"admin_email": "admin@example.org", "pw_weak": "1", "blog_public": "0", "Submit": "Install WordPress"}
    status, text = ask(f"{SITE}/wp-admin/install.php?step=2", form)
    assert status == 200
    assert "Success!" in text, text

    site = xmlrpc.client.ServerProxy(f"{SITE}/xmlrpc.php")
    page = {"post_type": "page", "post_title": "Cat", "post_content": PAGE, "post_status": "publish"}
    number = site.wp.newPost(0, user, login, page)
    assert PAGE in ask(f"{SITE}/?page_id={number}")[1]


def test_down_and_up_again_the_page_is_still_there(wordpress, deployed, password):
    wordpress.make("down")
    assert wordpress.containers() == []
    wordpress.make("deploy", env={"DB_PASSWORD": password})

    user, login = ADMIN
    site = xmlrpc.client.ServerProxy(f"{SITE}/xmlrpc.php")
    pages = [page["post_content"] for page in site.wp.getPosts(0, user, login, {"post_type": "page"})]
    assert PAGE in pages
    [http, _] = checks(wordpress)
    assert ask(http["url"])[0] == http["expect"]


def test_a_wrong_password_fails_the_check_and_the_health_of_who_uses_it(wordpress, deployed, password):
    own = 'secrets = { DB_PASSWORD = { env = "DB_PASSWORD" } } # mounted at /run/secrets/DB_PASSWORD'
    change(wordpress, own, own.replace('env = "DB_PASSWORD"', 'env = "WORDPRESS_PASSWORD"'))
    compose(wordpress, "up", "-d", password=password)

    [http, _] = checks(wordpress)

    def answer():
        status, text = ask(http["url"])
        return (status, text) if status else None

    status, text = until(answer, "WordPress answers")
    assert status == 500 != http["expect"]
    assert "Error establishing a database connection" in text
    assert until(lambda: failed_checks(wordpress, "wordpress"), "the health check of WordPress fails")
    assert states(wordpress.containers("mariadb")) == [("running", 0, "healthy")]
    [wrong] = [check for check in verify(wordpress, expect=1) if check["outcome"] == "fail"]
    assert wrong["subject"] == "wordpress"
    assert "answered 500, not 200" in wrong["seen"]
    assert "it is bound to `db` → `mariadb.sql` (mariadb:3306) with the secret `DB_PASSWORD`" in wrong["seen"]


def test_a_database_that_is_asked_as_the_application_asks_is_not_healthy_with_a_wrong_password(wordpress, deployed):
    # That a secret has another value is no reason for Compose to replace a container.
    compose(wordpress, "up", "-d", "--no-deps", "--force-recreate", "mariadb", password="not the right one")
    [said, *_] = until(lambda: failed_checks(wordpress, "mariadb"), "the health check of MariaDB fails")
    assert "Access denied" in said


def test_a_bare_ping_says_healthy_all_the_same(wordpress, deployed):
    deep = re.search(r"^command = .*$", wordpress.spec.read_text(), re.MULTILINE)[0]
    change(wordpress, deep, 'command = "mariadb-admin ping"')
    assert "shallow-healthcheck" in run(CBWGEN, "lint", wordpress.spec).stdout

    compose(wordpress, "up", "-d", "--no-deps", "--wait", "mariadb", password="not the right one")
    assert states(wordpress.containers("mariadb")) == [("running", 0, "healthy")]
    compose(wordpress, "up", "-d", "--no-deps", "--force-recreate", "wordpress", password="not the right one")
    [http, _] = checks(wordpress)
    status, text = until(lambda: next(((s, t) for s, t in [ask(http["url"])] if s), None), "WordPress answers")
    assert (status, "Error establishing a database connection" in text) == (500, True)
