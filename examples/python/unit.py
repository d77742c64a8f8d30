"""A prison over plain HTTP: publish a report, read the stream, read the state. Standard library only."""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

URL = os.environ.get("SIMPUL_URL", "http://127.0.0.1:8080")
KEY = os.environ.get("SIMPUL_KEY", "")


class Refused(Exception):
    """The hub refused a request (4xx): nothing was written. `problem` is the problem document: what is wrong and where."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem.get('code')}: {json.dumps(problem.get('errors', problem.get('hint')))}")
        self.status, self.problem = status, problem


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The hub redirects nobody. Following a redirect would send the key to another server, and a POST as a GET."""

    def redirect_request(self, *args):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def problem_of(answer):
    """The problem document of a refusal by the hub: its type names its code. None for that of a proxy or firewall on the way, which is no answer."""
    if answer.headers.get_content_type() != "application/problem+json":
        return None
    try:
        problem = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    if not isinstance(problem, dict) or not isinstance(problem.get("code"), str):
        return None
    return problem if problem.get("type") == "/docs/errors#" + problem["code"] else None


def retry_after(value):
    """Seconds of the header Retry-After, at most 60: a number, or a date as many proxies send it. None without one."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0), 60)


def call(method, path, expected, body=None, content_type="application/json", tries=8):
    """Sends a request and retries it, unchanged, after a lost connection, 408, 425, 429 and 5xx.

    That is safe (idempotent): the hub stores an event id only once. An answer that is not the hub's counts as no answer: the hub answers JSON for which
    `expected` is true, or a problem document.
    """
    data = None if body is None else json.dumps(body).encode()
    for n in range(1, tries + 1):
        request = urllib.request.Request(URL + path, data=data, method=method)
        request.add_header("authorization", f"Bearer {KEY}")
        request.add_header("accept-language", "en")
        if data is not None:
            request.add_header("content-type", content_type)
        wait = min(2.0**n / 4, 30)
        try:
            with OPENER.open(request, timeout=60) as answer:
                kind = answer.headers.get_content_type()
                if kind == "application/json":
                    found = json.load(answer)
                    if isinstance(found, dict) and expected(found):
                        return found
                last = f"{answer.status} {kind}, which is not the hub"
        except urllib.error.HTTPError as e:
            refusal = problem_of(e)
            if refusal and e.code < 500 and e.code not in (408, 425, 429):
                raise Refused(e.code, refusal) from None
            given = retry_after(e.headers.get("retry-after"))
            wait = wait if given is None else given
            last = f"{e.code}"
        except (OSError, http.client.HTTPException, ValueError) as e:  # ValueError: cut JSON
            last = str(e)
        if n == 1:
            print(f"no answer from {URL}: {last}; trying again", file=sys.stderr)
        if n < tries:
            time.sleep(wait)
    raise SystemExit(f"no answer from {URL}: {last}")


def publish(source, event_type, data, event_id=None):
    event = {
        "specversion": "1.0",
        "id": event_id or str(uuid.uuid4()),
        "source": source,
        "type": event_type,
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "data": data,
    }

    def is_receipt(found):  # of this event, not of another that a cache on the way has kept
        return found.get("id") == event["id"] and found.get("source") == source and isinstance(found.get("position"), str)

    return call("POST", "/v1/events", is_receipt, event, "application/cloudevents+json")


def is_page(found):
    return isinstance(found.get("events"), list) and isinstance(found.get("next"), str)


def read(stream, cursor=None):
    """Events to the end of the stream, each with the cursor after its page: store it, and pass it as the cursor the next time."""
    while True:
        place = {"cursor": cursor} if cursor else {"from": "earliest"}
        page = call("GET", f"/v1/streams/{stream}/events?" + urllib.parse.urlencode(place), is_page)
        for event in page["events"]:
            yield event, page["next"]
        for position in page.get("damaged", []):
            print(f"the hub cannot read {position} any more", file=sys.stderr)
        if not page["events"] and not page.get("incomplete"):
            return
        cursor = page["next"]


def main():
    me = call("GET", "/v1/me", lambda found: "source" in found and "unit" in found)
    now = datetime.now(timezone.utc)
    report = {
        "unit": me["unit"],
        "tanggal": me["today"],  # the day in the zone of the unit, not of UTC
        "kapasitas": 327,
        "jumlahTahanan": 33,
        "jumlahNarapidana": 298,
        "jumlahAnak": 0,
        "perempuan": 17,
        "warganegaraAsing": 2,
        "masukHariIni": 1,
        "keluarHariIni": 0,
        "pindahMasuk": 0,
        "pindahKeluar": 0,
        "melewatiMasaPenahanan": 2,
        "waktuLaporan": now.isoformat(timespec="milliseconds"),
    }
    receipt = publish(me["source"], "pas.hunian.dilaporkan", report)
    print(f"recorded at {receipt['position']}")
    ours = [e for e, _ in read("pas.hunian") if e["source"] == me["source"]]
    print(f"in the stream: {len(ours)} of ours, last at {ours[-1]['position']}")
    after = urllib.parse.quote(receipt["position"], safe="")
    path = f"/v1/state/pas.hunian-unit/{me['unit']}?after={after}"
    entry = call("GET", path, lambda found: found.get("key") == me["unit"] and isinstance(found.get("value"), dict))
    print(f"state: {entry['value']['jumlahNarapidana']} convicts, stale {json.dumps(entry['stale'])}")
    try:
        publish(me["source"], "pas.hunian.dilaporkan", {**report, "tanggal": "yesterday"})
    except Refused as e:
        print(f"refused as it should be: {e}")


if __name__ == "__main__":
    try:
        main()
    except Refused as e:
        sys.exit(str(e))
