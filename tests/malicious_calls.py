"""Calls of every command with texts of others that try to be markup or to control a terminal."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import counted_entropy
from tests.test_plain_text import EVIL
from tracetogether.presence.posters import make_poster

NAMED = "[x][⁄x]\x1b[31m\u202e.csv"  # a file's name holds no slash


@dataclass
class Poisoned:
    """A folder in which every text is evil."""

    place: Path
    case_id: str
    contact_id: str
    person: str
    user_id: str


CELL = EVIL.replace("\0", "").replace("\r", "").replace('"', "")

Words = Callable[[Poisoned], list[list[str]]]


def each(*calls: str) -> Words:
    """Return the words of some calls; {place}, {case} and so on stand for what was made."""

    def words(p: Poisoned) -> list[list[str]]:
        known = {
            "place": str(p.place),
            "case": p.case_id,
            "contact": p.contact_id,
            "person": p.person,
            "user": p.user_id,
            "table": str(p.place / NAMED),
            "evil": CELL,
        }
        return [[word.format(**known) for word in call.split()] for call in calls]

    return words


D = "--dir {place}/authority"

POSTER = make_poster("[red]Bar[/red]", "[/x]", entropy=counted_entropy(5)).text

EVIL_POSTER = (
    "NZCOVIDTRACER:"
    + b64encode(
        json.dumps(
            {"gln": "7" * 13, "ver": "c19:1", "typ": "entry", "opn": EVIL, "adr": EVIL}
        ).encode()
    ).decode()
)

COMMANDS: dict[str, Words] = {
    "authority appeal decide": each(
        f"{{evil}} upheld --yes {D} --token-file {{place}}/authority/operator.token",
        f"{{evil}} {{evil}} {D}",
    ),
    "authority appeal list": each(D, f"{D} --json"),
    "authority case days": each(f"{{case}} {D}", f"{{case}} {D} --json", f"{{evil}} {D}"),
    **{
        f"authority warnings {act}": each(
            f"{{evil}} --reason {{evil}} {more} --yes {D} "
            "--token-file {place}/authority/operator.token",
            f"{{evil}} --reason {{evil}} {D} --token-file {{table}}",
        )
        for act, more in (
            *(("confirm", ""), ("confirm-trip", "--aboard 80")),
            *(("refuse", ""), ("refuse-trip", "")),
        )
    },
    "authority warnings list": each(
        D, f"{D} --json", f"--case {{case}} {D}", f"--case {{evil}} {D}"
    ),
    "authority warnings publish": each(D, f"{D} --json"),
    "authority order add": each(
        f"--kind border --legal-basis {{evil}} --place {{evil}} --from 1 --to 2 --ends 3 "
        f"--people 1 {D} --token-file {{place}}/authority/operator.token",
        f"--kind {{evil}} --from {{evil}} {D}",
    ),
    "authority order end": each(
        f"{{evil}} --yes {D} --token-file {{place}}/authority/operator.token"
    ),
    "authority order list": each(D, f"{D} --json"),
    "authority restriction confirm": each(
        f"{{evil}} {D} --token-file {{place}}/authority/operator.token",
        f"{{evil}} {D} --token-file {{table}}",
    ),
    "authority restriction figures": each(D, f"{D} --json"),
    "authority restriction lift": each(
        f"{{evil}} --yes {D} --token-file {{place}}/authority/operator.token"
    ),
    "authority restriction list": each(D, f"{D} --json", f"{D} --offset {{evil}}"),
    "authority restriction set": each(
        f"{{evil}} --ground order --reference {{evil}} --evidence visit --until 9 {D} "
        "--token-file {place}/authority/operator.token",
        f"{{user}} --ground {{evil}} --until {{evil}} {D}",
    ),
    "authority restriction test": each(
        f"{{user}} --date 2020-05-04 --laboratory {{evil}} {D} "
        "--token-file {place}/authority/operator.token",
        f"{{evil}} --date {{evil}} --laboratory x {D}",
    ),
    "authority audit list": each("{place}/authority", "{place}/authority --json"),
    "authority audit verify": each("{place}/authority", "{place}/authority --head {evil}"),
    "authority backup": each(f"{{place}}/{{evil}}/x {D}"),
    "authority case confirm": each(f"{{evil}} {D}", f"{{case}} {D}"),
    "authority case contacts": each(f"{{case}} {D}", f"{{case}} {D} --json", f"{{evil}} {D}"),
    "authority case graph": each(D, f"{D} --json", f"{D} --policy {{evil}}"),
    "authority case import": each(
        f"{{place}}/heading.csv {D}", f"{{place}}/cells.csv {D}", f"{{place}}/cells.csv {D} --json"
    ),
    "authority case list": each(D, f"{D} --json"),
    "authority case person": each(
        f"{{case}} {D}",
        f"{{case}} --reason {{evil}} {D}",
        f"{{case}} --reason x {D} --json",
        f"{{evil}} {D}",
    ),
    "authority case describe": each(
        f"{{case}} --name {{evil}} --phone {{evil}} {D}", f"{{case}} --clear {{evil}} {D}"
    ),
    "authority follow-up convert": each(f"{{evil}} {D}", f"{{evil}} --date {{evil}} {D}"),
    "authority case stays": each(f"{{case}} {D}", f"{{case}} {D} --json", f"{{evil}} {D}"),
    "authority case onward": each(f"{{case}} {D}", f"{{evil}} {D}"),
    "authority case open": each(f"{{evil}} {D}", f"{{user}} {D} --date {{evil}}"),
    "authority case pin": each(f"{{evil}} {D}"),
    "authority case pin-state": each(f"{{evil}} {D}", f"{{case}} {D} --json"),
    "authority policy cost-curve": each(D, f"{D} --json", f"{D} --case {{evil}} --policy {{evil}}"),
    "authority policy set": each(f"--least-chance {{evil}} {D}", f"--least-chance 0.5 {D}"),
    "authority policy show": each(D, f"{D} --json"),
    "authority case reveal": each(
        f"{{case}} {{person}} --reason {{evil}} {D}", f"{{case}} {{evil}} --reason call {D}"
    ),
    "authority open-data list": each("{place}/authority", "{place}/authority --json"),
    "authority open-data preview": each("{place}/authority", "{place}/{evil} --json"),
    "authority open-data publish": each(
        "{place}/authority --yes --licence {evil}", "{place}/authority --yes --json"
    ),
    "authority open-data stop": each("{place}/authority", "{place}/{evil}"),
    "authority wall add": each(f"{{evil}} {D}", f"lobby {D} --json", f"lobby {D}"),
    "authority wall list": each("{place}/authority", "{place}/authority --json"),
    "authority wall end": each(f"{{evil}} {D}", f"lobby {D}"),
    "authority bulletin put": each(
        f"{{evil}} --until {{evil}} {D}", f"{{evil}} --until 9 {D}", f"x --until 9 {D} --json"
    ),
    "authority bulletin show": each("{place}/authority", "{place}/authority --json"),
    "authority bulletin end": each("{place}/authority", "{place}/{evil}"),
    "authority partner add": each(
        f"{{table}} --organisation {{evil}} {D} --operator-token {{place}}/authority/operator.token"
    ),
    "authority partner address": each(f"{{evil}} {{evil}} {D}", f"{{evil}} {D}"),
    "authority partner exchange run": each(D, f"{{evil}} {D} --json"),
    "authority partner exchange export": each(f"{{evil}} --out {{place}}/out {D}"),
    "authority partner exchange import": each(f"{{table}} {D}", f"{{table}} {D} --json"),
    "authority partner exchange answers": each(f"{{evil}} --out {{place}}/answers.cose {D}"),
    "authority partner exchange list": each(D, f"{D} --json"),
    "authority partner confirm": each(
        f"{{evil}} {{evil}} {D} --operator-token {{place}}/authority/operator.token"
    ),
    "authority partner fingerprint": each(D, f"{D} --json"),
    "authority partner list": each(D, f"{D} --json"),
    "authority partner remove": each(f"{{evil}} {D}", f"{{evil}} {D} --json"),
    "authority partner update": each(f"{{evil}} {{table}} {D}"),
    "authority place add": each(f"{{evil}} --site {{evil}} {D}", f"x --out {{evil}} {D} --json"),
    "authority place list": each(D, f"{D} --json"),
    "authority place warn": each(
        f"{{evil}} --since 2020-05-04 --until {{evil}} --reason {{evil}} {D} "
        "--token-file {place}/authority/operator.token",
        f"{{evil}} --since 2020-05-04T08 --until 2020-05-04T09 --reason {{evil}} {D} "
        "--token-file {place}/authority/operator.token",
    ),
    "authority place retire": each(f"{{evil}} {D}", f"{{evil}} {D} --json"),
    "authority charge code": each(f"{D} --lang {{evil}}", f"{D} --lang ta", f"{D} --json"),
    "authority charge end": each(f"{{evil}} --reason {{evil}} {D}", f"NONE --reason x {D}"),
    "authority demo-data": each("{table}"),
    "authority export": each(
        f"--format csv {D}", f"--format ndjson {D}", f"--layout {{evil}} {D}", "--dir {table}"
    ),
    "authority follow-up assign": each(f"{{evil}} {{evil}} {D}", f"{{case}} {{evil}} {D}"),
    "authority follow-up call": each(f"{{evil}} {{evil}} {D}", f"{{contact}} {{evil}} {D}"),
    "authority follow-up find": each(f"{{evil}} {D}", f"{{evil}} {D} --json"),
    "authority follow-up indicators": each(D, f"{D} --json"),
    "authority follow-up list": each(D, f"{D} --json", f"{D} --case {{evil}}"),
    "authority follow-up next": each(D, f"{D} --json", f"{D} --skip {{evil}}"),
    "authority follow-up people": each(
        D, f"{D} --all --json", f"{D} --case {{evil}}", f"{D} --language {{evil}}"
    ),
    "authority follow-up refresh": each(D),
    "authority follow-up show": each(f"{{contact}} {D}", f"{{contact}} {D} --json"),
    "authority init": each("{table}/x --name {evil}", "{place}/authority"),
    "authority keys destroy": each(f"{{evil}} {D}"),
    "authority keys list": each(D, f"{D} --json"),
    "authority keys quarantine": each(f"{{evil}} {{evil}} {D}"),
    "authority keys replace": each("--dir {table}"),
    "authority keys rotate": each(D),
    "authority limits": each("{place}/authority", "{table}"),
    "authority load": each("http://{evil}", "http://127.0.0.1:9/{evil} --fetches 1"),
    "authority migrate": each("{table}", "{place}/authority --database {evil}"),
    "authority pass keys": each(D, f"{D} --json"),
    "authority pass paper": each(
        *(
            f"{given} {D} --token-file {{place}}/authority/operator.token"
            for given in (
                "--reason {evil}",
                "--reason x --user {evil}",
                "--reason x --hint {evil} --json",
            )
        )
    ),
    "authority pass policy": each(
        f"{{evil}} {D}", f"advice --file {{place}}/evil.toml {D}", f"{D} --json"
    ),
    "authority pass retire": each(f"{{evil}} {D}", f"{{evil}} {D} --json"),
    "authority phones learn": each(D, f"{D} --json", f"{D} --least-people {{evil}}"),
    "authority phones show": each(f"{D}", "--dir {table}"),
    "authority phones stop": each(D),
    "authority phones use": each(f"{{table}} {D}", f"{{place}}/phones.csv {D}"),
    "authority purge": each("{place}/authority", "{table}"),
    "authority restore": each(f"{{table}} {D}", f"{{place}}/node {D}"),
    "authority serve": each("{table}", "{place}/authority --tls-cert {table} --host {evil}"),
    "authority team hand-over": each(
        f"{{evil}} --to {{evil}} {D}", f"{{case}} --to {{evil}} --to - {D} --json"
    ),
    "authority team end-shift": each(f"{{evil}} {D}"),
    "authority team hours": each(
        "{place}/authority", "{place}/authority --json", "{place}/authority --set {evil}"
    ),
    "authority team show": each("{place}/authority", "{place}/authority --json", "{table}"),
    "authority time-zone": each(
        "{place}/authority", "{place}/authority --set {evil}", "{table}", "{table} --json"
    ),
    "authority user add": each(f"{{evil}} --role tracer {D}", f"x --role {{evil}} {D}"),
    "authority user disable": each(f"{{evil}} {D}"),
    "authority user confirm-reset": each(
        f"{{evil}} {D}", f"{{evil}} {D} --operator-token {{place}}/authority/operator.token"
    ),
    "authority user reset": each(
        f"{{evil}} {D}", f"{{evil}} {D} --operator-token {{place}}/authority/operator.token"
    ),
    "authority user roles": each(f"{{evil}} --role tracer {D}", f"x --role {{evil}} {D}"),
    "authority user import": each(f"{{place}}/names.csv {D}", f"{{place}}/heading.csv {D} --json"),
    "authority user list": each(D, f"{D} --json"),
    "authority user password": each(f"{{evil}} --stdin {D}"),
    "calibrate fit": each("{table}", "{table} --columns {evil}={evil}", "{table} --join {evil}"),
    "calibrate phones": each(
        "{table} -o {place}/x.csv", "{place}/named.csv -o {place}/x.csv", "{table} {evil} -o {evil}"
    ),
    "demo": each("--picture {table}/x.png", "--seed {evil}"),
    "estimate": each(
        "{table}", "{table} --json", "{place}/heading.csv", "{table} --calibration {table}"
    ),
    "evaluate": each("{table}", "{table} --estimators {evil}", "{table} --model {table}"),
    "gate check": each(
        "{table} --trust {table}", "{evil} --trust {place}/evil.toml", "{evil} --at {evil}"
    ),
    "gate init": each("{evil}", "http://127.0.0.1:9/{evil} --dir {place}/gate"),
    "gate run": each("{place}/gate", "{table}"),
    "node init": each("{place}/node", "{table} --server {evil}"),
    "node log export": each("{place}/node -o {place}/log.json", "{table}"),
    "node log purge": each("{place}/node"),
    "node log show": each("{place}/node", "{place}/node --json"),
    "pass charge add": each("{evil} {evil} {place}/node", "Mei K7Q2D-MXFT3 {table}"),
    "pass charge end": each("{evil} {place}/node", "Mei {table} --lang {evil}"),
    "pass charge list": each("{place}/node", "{table}"),
    "pass appeal": each("{place}/node --for {evil}", "{table} --lang {evil}"),
    "pass declare": each("{place}/node --symptoms", "{table} --symptoms --since {evil}"),
    "pass show": each("{place}/node", "{place}/node --for {evil}", "{table} --lang {evil}"),
    "node run": each("{place}/node", "{table}"),
    "node upload": each("{place}/node --pin {evil}", "{place}/node --pin 12345678"),
    "city bench": each("--people {evil}"),
    "city check": each("{place}/evil.toml", "{table}", "test-town --set {evil}={evil}"),
    "city compare": each("{evil} --set {evil}", "test-town --set {evil}={evil} --seeds 1"),
    "city cost": each("--spread {evil}"),
    "city detection": each("--protocol {evil}"),
    "city keys": each("", "--json"),
    "city laws": each("--part {evil}"),
    "city list": each("", "--json"),
    "city presence": each("{evil}", "test-town --set {evil}={evil} --seeds 1", "{place}/evil.toml"),
    "city report": each("{evil}", "{place}/node", "test-town --set {evil}={evil}"),
    "city run": each("{place}/evil.toml", "{evil}", "test-town --set {evil}={evil}"),
    "city sweep": each("{evil} --vary app.adoption=0", "test-town --vary {evil}={evil}"),
    "city validate": each("{evil}"),
    "conformance peer": each("--radio {evil}"),
    "conformance server": each("{evil}", "http://127.0.0.1:9 --pin {evil} --phone {table}"),
    "conformance vectors": each("{place}/node/phone.db/{evil}", "{table}"),
    "continuity": each("{table}", "{table} --columns {evil}={evil}", "{place}/{evil}"),
    "privacy measure": each("--seed {evil}"),
    "record": each("{table}", "{place}/none/{evil} --radio {evil}"),
    "simulate attack": each("{evil}", "replay --protocol {evil}", "replay --seed {evil}"),
    "simulate bench": each("--people {evil}"),
    "simulate border": each("{evil}", "lift --set {evil}", "lift --abroad {evil}"),
    "simulate check-in": each("{evil}", "lift --set {evil}", "lift --check-in {evil}"),
    "simulate cost-curve": each("{evil}", "lift --set {evil}", "lift --seeds 1 --cost {evil}"),
    "simulate costs": each("", "--users {evil}", "{evil}"),
    "simulate check": each("{place}/evil.toml", "{table}", "lift --set {evil}={evil}"),
    "simulate export": each("{place}/out --for {evil}", "{table} --scenario {evil}"),
    "simulate gates": each("{evil}", "lift --set {evil}", "lift --least-chance {evil}"),
    "simulate keys": each("", "--json"),
    "simulate list": each("", "--json"),
    "simulate places": each("{evil}", "lift --set {evil}", "lift --adoption {evil}"),
    "simulate nearness": each("{evil}", "lift --set {evil}", "lift --estimator {evil}"),
    "simulate protocols": each(
        "{evil}",
        "lift --set {evil}",
        "lift --seeds 1 --set duration_s=120 --plot {place}/{evil}",
    ),
    "simulate report": each("{table}", "{place}/node"),
    "simulate run": each("{place}/evil.toml", "{evil}", "lift --set {evil}={evil}"),
    "simulate sweep": each("{place}/evil.toml --vary adoption=0.1:1:2", "lift --vary {evil}"),
    "simulate validate channel": each("--readings {table}", "--scenario {evil}"),
    "simulate validate movement": each("--pedestrians {table}", "--office {table}"),
    "simulate validate replay": each("--trajectories {table} --readings {table}"),
    "simulate validate trials": each("--trial {evil}"),
    "trip add": each(
        "{evil} {evil}",
        "G1 2020-01-25 --car {evil}",
        "G1 2020-01-25 --seat {evil} --dir {table}",
        "G1 2020-01-25 --carrier {evil}",
    ),
    "trip check": each("{evil} {evil}", "--dir {place}/node", "G1 2020-01-25 --server {evil}"),
    "trip forget": each("{evil} {evil}", "G1 2020-01-25 --dir {table}"),
    "trip list": each("--dir {place}/node", "--dir {table} --json"),
    "upload": each(
        "{place}/node/phone.db --dry-run",
        "{table} --dry-run",
        "{table} --pin {evil} --server {evil}",
    ),
    "venue poster": each(
        "{evil}",
        "Bar --address {evil}",
        "Bar --from {evil}",
        "Bar --host {evil}",
        "Bar --out {evil}",
    ),
    "visit check": each("--dir {place}/node", "--server {evil}", "--dir {table}"),
    "visit forget": each("--place {evil}", "--since {evil}", "--all --dir {table}"),
    "visit in": each(
        "{evil}",
        "{table}",
        f"{POSTER} --note {{evil}} --dir {{place}}/evil",
        f"{POSTER} --at {{evil}}",
    ),
    "visit list": each("--dir {place}/evil", "--dir {place}/evil --json", "--dir {table}"),
    "visit out": each("--dir {place}/evil", "--at {evil}"),
    "visit read": each("{evil}", "{table} --key {table}", EVIL_POSTER),
}
"""Every command, with calls in which the texts of others are shown, or get into an error."""
