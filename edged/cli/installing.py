"""``edged install-service``, ``edged uninstall-service``: edged as a service of systemd."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.errors import NotAllowed, Unreachable, UsageError

if TYPE_CHECKING:
    from edged.installation.host import Host
    from edged.installation.plan import Part, Step

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Root = Annotated[
    Path, typer.Option("--root", metavar="DIR", help="The root folder of an image, instead of this machine.")
]
SYSUSERS = "/etc/sysusers.d/edged.conf"
TMPFILES = "/etc/tmpfiles.d/edged.conf"
CONFIGURATION = "/etc/edged/edged.toml"
STATE = ("/etc/edged", "/var/lib/edged", "/var/lib/edged@*", "/var/cache/edged")


def install_service(
    *,
    dry_run: DryRun = False,
    root: Root = Path("/"),
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NAME",
            help="Also a drop-in: network-cameras-only, usb-cameras, intel-gpu, nvidia-gpu, serial, iio. Repeatable.",
        ),
    ] = None,
) -> None:
    """Install this edged as a service of systemd: units, user, folders, and a configuration to fill in.

    What is there and was changed by hand is left alone; a second run changes nothing. Nothing is started.

    Example: edged install-service --with usb-cameras
    """
    from edged.installation import plan, unitfiles

    wanted = list(dict.fromkeys(with_ or []))
    unitfiles.check_names(wanted)
    host = _host(root, dry_run=dry_run)
    program = _program(host, root)
    packaged = {name: found for name in unitfiles.UNITS if (found := host.packaged_unit(name))}
    parts = _parts(program, packaged=bool(packaged))
    there = host.texts(part.path for part in parts)
    parts = [part for part in parts if not _is_drop_in(part) or part.path in there or _named(part, wanted)]
    steps = plan.installing(parts, there)
    for name, found in packaged.items():
        steps.insert(0, plan.Step(found, "kept", why=f"{name} of the package serves"))
    missing = _missing(host)
    if not missing and not any(step.changes for step in steps):
        _show(steps)
        typer.echo("nothing to do: the service is installed as this edged installs it")
        return
    _show(steps, dry_run=dry_run)
    if dry_run:
        _say(f"would be made: {', '.join(missing)}" if missing else "")
        return
    host.apply(steps)
    if missing:
        made = host.make_user_and_folders(SYSUSERS, TMPFILES) if not packaged else False
        _say(f"{'made' if made else 'made at the next boot'}: {', '.join(missing)}")
    host.systemctl("daemon-reload")
    _next(host, program)


def uninstall_service(
    *,
    dry_run: DryRun = False,
    root: Root = Path("/"),
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Also the configuration, models, state, and what was changed by hand."),
    ] = False,
) -> None:
    """Stop edged and remove its units. The configuration, the models and what waits for the broker stay.

    Example: edged uninstall-service --dry-run
    """
    from edged.installation import plan

    host = _host(root, dry_run=dry_run)
    packaged = host.packaged_unit("edged.service")
    parts = _parts("/opt/edged/bin/edged", packaged=bool(packaged))
    steps = plan.removing(parts, host.texts(part.path for part in parts), purge=purge)
    steps = [step for step in steps if step.outcome != "absent"]
    _show(steps, dry_run=dry_run)
    if not dry_run and not packaged:
        _disable(host)
    if not dry_run:
        host.apply(steps)
        host.systemctl("daemon-reload")
    if packaged:
        _say(f"{packaged} came with the package: apt-get remove edged, or purge")
        return
    if not steps:
        _say("nothing to do: the service is not installed")
    if not purge:
        _say(f"left alone: {', '.join(STATE)}; --purge removes them")
    elif dry_run:
        _say(f"would be removed: {', '.join(STATE)}")
    else:
        gone = host.remove_folders(STATE)
        _say(f"removed: {', '.join(gone)}" if gone else "")
    _say("the user edged stays: files elsewhere may be its own" if host.has_user() else "")


def _host(root: Path, *, dry_run: bool) -> "Host":
    """The machine to work on.

    Raises:
        Unreachable: It has no systemd.
        UsageError: There is no such folder.
        NotAllowed: It takes root.
    """
    from edged.installation.host import Host

    if sys.platform != "linux":
        raise Unreachable(
            "systemd", "is not on this system", "use `edged run`, under what starts services here"
        )
    if not root.is_dir():
        raise UsageError("--root", f"{root} is not a folder", "name the root folder of an image")
    host = Host(root.resolve())
    if not dry_run and host.place("/") == Path("/") and os.geteuid() != 0:
        raise NotAllowed(
            "the service", "only root installs or removes it", f"sudo {sys.argv[0]} …, or --dry-run"
        )
    return host


def _program(host: "Host", root: Path) -> str:
    """The command `edged` as the machine calls it, which its service can start."""
    from edged.installation import checks

    program = checks.this_program()
    inside = host.seen_from_inside(program)
    if host.place("/") == Path("/"):
        checks.check_program(program, checks.this_interpreter())
    else:
        checks.check_path(Path(inside))
        if not os.path.lexists(host.place(inside)):
            _say(f"note: {root} has no {inside} yet; the service starts it")
    return inside


def _parts(program: str, *, packaged: bool) -> list["Part"]:
    """Every file that the service may have; a package brings all but drop-ins."""
    from edged import bundle
    from edged.installation import unitfiles
    from edged.installation.host import UNIT_FOLDER
    from edged.installation.plan import Part

    drop_ins = [
        Part(
            f"{UNIT_FOLDER}/{unitfiles.drop_in_path(unit, name)}",
            bundle.service_file(f"drop-ins/{name}.conf"),
        )
        for name in unitfiles.DROP_INS
        for unit in unitfiles.UNITS
    ]
    if packaged:
        return drop_ins
    units = [
        Part(f"{UNIT_FOLDER}/{name}", unitfiles.for_program(bundle.service_file(name), program))
        for name in unitfiles.UNITS
    ]
    others = [
        Part(SYSUSERS, bundle.service_file("sysusers.d/edged.conf")),
        Part(TMPFILES, bundle.service_file("tmpfiles.d/edged.conf")),
        Part(CONFIGURATION, unitfiles.commented(bundle.sample_configuration()), mode=0o640, ours=False),
    ]
    return [*units, *drop_ins, *others]


def _is_drop_in(part: "Part") -> bool:
    return part.path.endswith(".conf") and ".service.d/" in part.path


def _named(part: "Part", wanted: list[str]) -> bool:
    return any(part.path.endswith(f"/10-{name}.conf") for name in wanted)


def _missing(host: "Host") -> list[str]:
    """The user and the folders that are not there."""
    from edged import bundle

    lines = [line.split() for line in bundle.service_file("tmpfiles.d/edged.conf").splitlines()]
    folders = [words[1] for words in lines if words[:1] == ["d"]]
    return [
        *([] if host.has_user() else ["the user edged"]),
        *(folder for folder in folders if not host.place(folder).is_dir()),
    ]


def _next(host: "Host", program: str) -> None:
    if active := host.units("active,activating,reloading"):
        _say(f"next: systemctl restart {' '.join(active)}")
        return
    _say(f"next: edit {CONFIGURATION}")
    _say(f"      {program} config check -c {CONFIGURATION} && systemctl enable --now edged")


def _disable(host: "Host") -> None:
    """Stop what runs, and have no boot start it again."""
    from edged.installation.plan import Step

    links = host.enabled()
    units = sorted({*host.units(), *(link.rpartition("/")[2] for link in links)})
    if units:
        host.systemctl("disable", "--now", *units)
    host.apply(Step(link, "removed") for link in links)  # of an image, where no systemctl did it


def _show(steps: list["Step"], *, dry_run: bool = False) -> None:
    for step in steps:
        done = f"would be {step.outcome}" if dry_run and step.changes else step.outcome
        typer.echo(f"{done:<{18 if dry_run else 10}} {step.path}{f'  ({step.why})' if step.why else ''}")


def _say(line: str) -> None:
    if line:
        typer.echo(line)
