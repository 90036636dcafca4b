"""Every example in README and docs is held to the code: configurations, messages, commands, keys, links."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import typer
from pydantic import TypeAdapter

from edged import __version__, errors
from edged.cli import program
from edged.decode.detect import _ALIASES, FAMILIES
from edged.manifest import Manifest
from edged.mqtt.schemas import SHAPES
from edged.mqtt.topics import place
from edged.settings import Settings, check_settings, load_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/*.md")])
SCHEMAS = {
    f"edged.{path.stem.replace('-', '/')}": json.loads(path.read_text(encoding="utf-8"))
    for path in (ROOT / "edged" / "schema").glob("*.json")
}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    fence = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in fence.finditer(text):
            body = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
            line = text.count("\n", 0, match.start()) + 1
            yield Block(str(page.relative_to(ROOT)), line, match[2].strip(), body)


BLOCKS = list(blocks())


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def commands() -> list[tuple[str, str]]:
    """Each command line of ours in a shell block, with its place."""
    found = []
    for block in of("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            words = line.strip().split("#")[0].strip()
            found += [(str(block), part.strip()) for part in re.split(r"&&|\|", words) if "edged" in part]
    return [(where, line) for where, line in found if re.match(r"(\S*/)?edged\s", line)]


def spans() -> list[tuple[str, str]]:
    """Each piece of code within a sentence that begins as a command of ours."""
    found = []
    for page in PAGES:
        prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        found += [(page.name, span) for span in re.findall(r"`(edged [^`]+)`", prose)]
    return found


def parse(words: list[str]) -> None:
    """Parse a command line as the program does, without doing anything."""
    command: Any = typer.main.get_command(program())
    name = "edged"
    while True:
        context = command.make_context(name, list(words))
        if not hasattr(command, "resolve_command"):
            return
        words = [*context._protected_args, *context.args]
        if not words:
            return
        name, command, words = command.resolve_command(context, words)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGED_CONFIG", "EDGED_DEVICE", "EDGED_MQTT__URL", "EDGED_HTTP__LISTEN"):
        monkeypatch.delenv(name, raising=False)


def test_there_are_examples_of_each_kind_and_none_of_an_unknown_kind() -> None:
    kinds = {block.language for block in BLOCKS}
    assert kinds == {"", "sh", "text", "toml", "toml model.toml", "json", "python"}


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_a_configuration_in_a_page_is_right_and_has_an_effect(block: Block) -> None:
    loaded = check_settings(tomllib.loads(block.text), name=str(block))
    assert not list(loaded.warnings())


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.name)
def test_a_sample_configuration_is_right_and_has_an_effect(path: Path) -> None:
    loaded = load_settings(path)
    assert loaded.settings.cameras
    assert not list(loaded.warnings())


def test_what_a_sample_configuration_shows_as_a_default_is_the_default() -> None:
    text = (ROOT / "configs" / "edged.toml").read_text(encoding="utf-8")
    shown = set(re.findall(r"^# (\w+) = ", text, re.MULTILINE)) - {"password_file", "path"}
    everything = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    everything = re.sub(r"^(password_file|path) = .*$", "", everything, flags=re.MULTILINE)
    plain = check_settings(tomllib.loads(text), name="edged.toml").settings
    assert check_settings(tomllib.loads(everything), name="edged.toml").settings == plain
    assert len(shown) > 10


@pytest.mark.parametrize("block", of("toml model.toml"), ids=str)
def test_a_manifest_in_a_page_is_right(block: Block) -> None:
    TypeAdapter(Manifest).validate_python(tomllib.loads(block.text))


def test_the_manifests_in_the_pages_show_every_key() -> None:
    shown = {key for block in of("toml model.toml") for key in leaves(tomllib.loads(block.text))}
    assert shown == manifest_keys()


def test_the_page_about_models_names_every_key_of_a_manifest() -> None:
    named = set(re.findall(r"`([a-z_.]+)`", table_after("docs/models.md", "## model.toml")))
    wanted = {key for key in manifest_keys() if not key.startswith("golden.")} | {"golden"}
    assert wanted <= named


def leaves(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        tables = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
        tables += [value] if isinstance(value, dict) else []
        for inner in tables:
            yield from leaves(inner, f"{prefix}{key}.")
        if not tables:
            yield prefix + key


def manifest_keys() -> set[str]:
    return {key.replace("[]", "") for key in schema_keys(TypeAdapter(Manifest).json_schema())}


def schema_keys(schema: dict[str, Any]) -> set[str]:
    """Dotted keys of a schema; ``<name>`` stands for a name that the user chooses."""

    def walk(node: dict[str, Any], prefix: str) -> Iterator[str]:
        node = next((one for one in node.get("anyOf", []) if one.get("type") != "null"), node)
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        if "properties" in node:
            for key, inner in node["properties"].items():
                yield from walk(inner, f"{prefix}.{key}".lstrip("."))
        elif isinstance(node.get("additionalProperties"), dict):
            yield from walk(node["additionalProperties"], f"{prefix}.<name>")
        elif "$ref" in node.get("items", {}):
            yield from walk(node["items"], prefix)
        else:
            yield prefix

    return set(walk(schema, ""))


def table_after(page: str, heading: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    section = text.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    return "\n".join(line for line in section.splitlines() if line.startswith("|"))


def configuration_rows() -> dict[str, str]:
    """Key to its cell of the default."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| (?:.*?) \| (.*?) \| .*\|$", text, re.MULTILINE)
    assert len(rows) == len({key for key, _ in rows}), "a key stands twice"
    return dict(rows)


def test_the_page_of_the_configuration_names_every_key_and_no_other() -> None:
    assert set(configuration_rows()) == schema_keys(Settings.model_json_schema())


def settings_with(key: str, value: str | None) -> Settings:
    """Settings in which the sections that a key needs are there, and the key has a value of TOML."""
    given: dict[str, Any] = {}
    needs = {
        "cameras": {"url": "rtsp://host/1", "models": ["m"]},
        "sensors": {"url": "-", "models": ["m"]},
        "zones": {"points": [[0, 0], [1, 0], [1, 1]]},
        "lines": {"points": [[0, 0], [1, 0]]},
        "masks": {"points": [[0, 0], [1, 0], [1, 1]]},
    }
    table = given
    *sections, last = key.replace("<name>", "n").split(".")
    for position, section in enumerate(sections):
        table = table.setdefault(section, {})
        if section == "n":
            table.update(needs.get(sections[position - 1], {}))
    if value is not None:
        table[last] = tomllib.loads(f"value = {value}")["value"]
    return check_settings(given, name="docs/configuration.md").settings


@pytest.mark.parametrize(("key", "default"), configuration_rows().items())
def test_a_default_in_the_page_of_the_configuration_is_the_default(key: str, default: str) -> None:
    if not default.startswith("`"):
        named = settings_with(key, None).model_dump()
        for part in key.replace("<name>", "n").split("."):
            named = named.get(part)
        assert default == "required" or key == "device" or named is None
        return
    assert settings_with(key, default.strip("`")) == settings_with(key, None)


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_a_message_in_a_page_is_of_its_schema(block: Block) -> None:
    message = json.loads(block.text)
    jsonschema.validate(message, SCHEMAS[message["schema"]])


def test_the_transcript_in_the_readme_has_messages_of_their_topics_and_schemas() -> None:
    lines = [
        line
        for block in of("text")
        if block.page == "README.md"
        for line in block.text.splitlines()
        if line.startswith("edged/")
    ]
    assert len(lines) >= 6
    kinds = set()
    for line in lines:
        topic, _, payload = line.partition(" ")
        where = place("edged", topic)
        assert where is not None
        if where.leaf == "status":
            assert payload in {"online", "offline", "stopped"}
            continue
        message = json.loads(payload)
        jsonschema.validate(message, SCHEMAS[message["schema"]])
        assert message["device"] == where.device
        kinds.add(message["schema"])
    assert {"edged.detections/1", "edged.camera_state/1", "edged.model_state/1", "edged.info/1"} <= kinds


@pytest.mark.parametrize(("where", "line"), commands(), ids=lambda value: value)
def test_a_command_in_a_page_is_understood(where: str, line: str) -> None:
    with suppress(typer.Exit):  # --version and --help answer while they are parsed
        parse(shlex.split(line)[1:])


def test_a_command_that_does_not_exist_is_not_understood() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(["run", "--kamera", "x"])
    with pytest.raises(Exception, match="No such command"):
        parse(["doctors"])


@pytest.mark.parametrize(("where", "span"), sorted(set(spans())), ids=lambda value: value)
def test_a_command_in_a_sentence_exists_with_its_options(where: str, span: str) -> None:
    command: Any = typer.main.get_command(program())
    words = shlex.split(span)[1:]
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{where}: {span}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= known, f"{where}: {span}"


def test_the_pages_show_commands() -> None:
    assert len({line for where, line in commands() if where.startswith("README.md")}) >= 6


def test_the_readme_names_every_command() -> None:
    command: Any = typer.main.get_command(program())
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name, inner in command.commands.items():
        for full in [f"edged {name} {sub}" for sub in getattr(inner, "commands", {})] or [f"edged {name}"]:
            assert full in text or full.rpartition(" ")[2] in re.findall(r"`(\w+)`", text), full


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r"^\[[^\]]+\]: (\S+)", prose, re.MULTILINE)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def test_the_page_about_models_has_a_row_for_each_family_and_names_each_alias() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", table_after("docs/models.md", "## Families"), re.MULTILINE)
    assert rows[0] == "family"
    assert sorted(rows[1:]) == sorted(family.name for family in FAMILIES)
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert [alias for alias in _ALIASES if f"`{alias}`" not in text] == []


def test_the_page_about_mqtt_links_every_schema() -> None:
    text = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
    linked = re.findall(r"\[`(edged\.\w+/\d+)`\]\(\.\./edged/schema/", text)
    assert sorted(linked) == sorted(f"edged.{name.replace('-', '/')}" for name in SHAPES)


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_page_about_mqtt_are_up_to_date() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_table_that_is_out_of_date_is_named_and_left_alone(tmp_path, monkeypatch, capsys) -> None:
    module, page = generator(), tmp_path / "mqtt.md"
    text = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8").replace("| how many |", "| other |")
    page.write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert module.main() == 1
    assert capsys.readouterr().err == "mqtt.md: not up to date: edged.gap/1; run make docs\n"
    assert page.read_text(encoding="utf-8") == text
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert module.main() == 0
    assert "| how many |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("", "one block <!-- generated: topics --> … <!-- end -->, not 0"),
        ("<!-- generated: topics -->\n<!-- end -->\n" * 2, "not 2"),
        ("<!-- generated: topics -->\n<!-- end -->\n<!-- generated: x -->\n<!-- end -->", "nothing called x"),
    ],
)
def test_a_table_stands_in_the_page_once(page: str, complaint: str) -> None:
    module = generator()
    with pytest.raises(module.CannotGenerateError, match=re.escape(complaint)):
        module.page_with_tables(page, {"topics": "| topic |\n"})


def test_a_field_that_nobody_described_is_no_row() -> None:
    module = generator()
    with pytest.raises(module.CannotGenerateError, match=r"^best\.score has no description"):
        module.fields_table(
            {
                "$defs": {"Found": {"type": "object", "properties": {"score": {"type": "number"}}}},
                "properties": {"best": {"$ref": "#/$defs/Found", "description": "The best one."}},
            }
        )


def test_the_page_about_operations_has_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \|", table_after("docs/operations.md", "## Exit codes"), re.MULTILINE)
    tree = [leaf for leaf in vars(errors).values() if isinstance(leaf, type)]
    assert {str(leaf.exit_code) for leaf in tree if issubclass(leaf, errors.EdgedError)} <= set(rows)


def test_the_readme_names_every_extra_of_a_runtime_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r"`edged\[([\w-]+)\]`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named == set(project["optional-dependencies"]) - {"dev", "train"}


def test_the_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - ", text, re.MULTILINE)


def test_the_unit_gives_up_on_a_wrong_configuration_and_signals_the_daemon_alone() -> None:
    unit = (ROOT / "systemd" / "edged.service").read_text(encoding="utf-8").splitlines()
    assert f"RestartPreventExitStatus={errors.ConfigurationError.exit_code}" in unit
    assert "KillMode=mixed" in unit
    assert "Environment=ORT_DISABLE_TELEMETRY=1" in unit
    assert not [line for line in unit if line.startswith(("MemoryDenyWriteExecute", "ProcSubset"))]
    (start,) = (line.removeprefix("ExecStart=") for line in unit if line.startswith("ExecStart="))
    parse(shlex.split(start)[1:])
