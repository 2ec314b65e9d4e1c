#!/usr/bin/env python3
"""Mails each order's link as soon as the order is ready, and tells an address that an
order's email address is changed: an example of a consumer.

It reads the outbox's streams as one consumer of a group (see ../integration.md), asks
the API for the link when it sends the mail, passes the mail to sendmail, and acknowledges
the entry only after that.  An entry that was not acknowledged is redelivered: after a
kill at any moment, after a failure of sendmail, the API or Redis, and if another
consumer died.  So each mail is sent at least once; a mail that is sent twice has the
same link and the same Message-ID.

Run as many as needed, each with its own MPK_CONSUMER; stop them by any signal.

    MPK_REDIS                unix:/path, redis://host:port or rediss://host:port
    MPK_REDIS_USER           with MPK_REDIS_PASSWORD_FILE: the ACL user
    MPK_API                  https://shop.example/mpk/v1
    MPK_API_TOKEN_FILE       a token with the role "shop"
    MPK_FROM                 keys@shop.example
    MPK_TRACK                https://shop.example/track: the page with mpk_track
    MPK_SENDMAIL             "/usr/sbin/sendmail -t -i": reads a mail from stdin, exits with 0
    MPK_GROUP                "mailer"
    MPK_START                where a new group starts: "0", all entries, or "$", new ones only
    MPK_CONSUMER             the consumer's name; the host's name by default
    MPK_IDLE                 60: seconds after which a pending entry is taken over
"""

import json, os, random, shlex, socket, ssl, subprocess, sys, tempfile, time
import urllib.error, urllib.parse, urllib.request
from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate

env = os.environ.get

API = env("MPK_API", "https://shop.example/mpk/v1").rstrip("/")
FROM = env("MPK_FROM", "keys@shop.example")
TRACK = env("MPK_TRACK", "https://shop.example/track")
SENDMAIL = shlex.split(env("MPK_SENDMAIL", "/usr/sbin/sendmail -t -i"))
GROUP = env("MPK_GROUP", "mailer")
START = env("MPK_START", "0")
CONSUMER = env("MPK_CONSUMER", socket.gethostname())
IDLE = float(env("MPK_IDLE", "60"))

TAGS = """
    bh bd by bq aa ai ap ax c2 ds b9 b1 fh fd a0 a8 bi ba bx bp ad ah aq ay c3 dr b8 b0 fi fa a1 a9
    bj bb ca bs ac ak ar az c0 c8 dh b3 fj fb a2 fs bk bc bz br ab aj as f2 c1 c9 di b2 fk fc a3 fr
""".split()

STREAMS = ["mpk:{%s}:out" % tag for tag in TAGS]


class Later(Exception):
    """Try again later; the text contains no secret."""


class Backoff:
    """Pauses that grow with each consecutive failure, up to 30 seconds."""
    failures = 0

    def fail(self, why):
        print(f"{CONSUMER}: {why}", file=sys.stderr, flush=True)
        time.sleep(min(30, 0.1 * 2 ** min(self.failures, 9)) * random.uniform(0.5, 1))
        self.failures += 1

    def succeed(self):
        self.failures = 0


def secret(file):
    with open(file) as f:
        return f.readline().strip()


class Redis:
    def __init__(self, url):
        at = urllib.parse.urlsplit(url)
        if at.scheme == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(10)
            self.socket.connect(at.path)
        else:
            self.socket = socket.create_connection((at.hostname, at.port or 6379), 10)
        if at.scheme == "rediss":
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=at.hostname)
        self.answers = self.socket.makefile("rb")
        if env("MPK_REDIS_PASSWORD_FILE"):
            self.call("AUTH", env("MPK_REDIS_USER", "default"), secret(env("MPK_REDIS_PASSWORD_FILE")))

    def call(self, *command):
        return self.calls([command])[0]

    def calls(self, commands):
        """Sends all commands, then reads all replies, then raises the first error reply."""
        out = []
        for command in commands:
            words = [str(word).encode() for word in command]
            out.append(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.socket.sendall(b"".join(out))
        answers = [self.answer() for _ in out]
        for answer in answers:
            if isinstance(answer, Later):
                raise answer
        return answers

    def answer(self):
        line = self.answers.readline()
        kind, rest = line[:1], line[1:-2].decode()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        if kind == b"-":
            return Later("Redis: " + rest)
        if kind in b"+:":
            return rest
        if rest == "-1":
            return None
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        data = self.answers.read(int(rest) + 2)
        if len(data) != int(rest) + 2:
            raise ConnectionError("closed")
        return data[:-2].decode()


def api(method, path, **headers):
    """Calls the API; returns None if there is no such order."""
    headers["Authorization"] = "Bearer " + secret(os.environ["MPK_API_TOKEN_FILE"])
    request = urllib.request.Request(f"{API}/{path}", b"" if method == "POST" else None,
                                     {name.replace("_", "-"): value for name, value in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as e:
        problem = json.load(e) if e.headers.get_content_type() == "application/problem+json" else {}
        if problem.get("type") == "urn:mpk:absent":
            return None
        raise Later(f"the API answers {e.code} {problem.get('type', '')}")
    except OSError as e:
        raise Later(f"the API is away: {type(e).__name__}")


def made_ready(entry):
    """Returns the order if this entry made it ready and it still is ready; else None."""
    if entry["e"] not in ("filed", "released"):
        return None
    order = api("GET", f"orders/{entry['o']}")
    if order is None or order["state"] != "ready":
        return None
    # an order can be filed ready; if it was released later, the mail belongs to that entry
    if entry["e"] == "filed":
        journal = api("GET", f"orders/{entry['o']}/journal")
        if journal is None or any(e["event"] == "released" for e in journal["entries"]):
            return None
    return order


def key_ready(entry, entry_id):
    """Returns the recipient and the text of a mail with the link; None: none is due."""
    order = made_ready(entry)
    if order is None:
        return None
    # however often the entry is redelivered, it gets the same link
    link = api("POST", f"orders/{order['order']}/links", Idempotency_Key=f"{GROUP}-{entry_id}")
    if link is None:
        return None
    products = "".join(f"    {item['product']}\n" for item in order["items"])
    return order["email"], (f"Thank you for your order {order['order']}:\n\n{products}\n"
                            f"See your product keys here, until {link['expires_at']}:\n\n{link['url']}\n")


def email_changed(entry):
    """As above, of the notice to the old address; it never has the new one."""
    journal = api("GET", f"orders/{entry['o']}/journal")
    for e in journal["entries"] if journal else []:
        if e["n"] == int(entry["n"]) and e.get("email_old") != e.get("email_new"):
            return e["email_old"], (f"The email address of your order {entry['o']} is changed: from {e['holds_from']} on the\n"
                                    "order belongs to another address, and links that we sent you before do not work.\n\n"
                                    "If that is not what you want, find your order with its number and this address before\n"
                                    f"then, and keep the address, or else write to us:\n\n{TRACK}\n")
    return None


def mail(stream, entry_id, entry):
    due = email_changed(entry) if entry["e"] == "email_changed" else key_ready(entry, entry_id)
    if due is None:
        return
    to, text = due

    message = EmailMessage(policy=default.clone(utf8=True))
    message["From"] = FROM
    message["To"] = to
    message["Subject"] = f"Your order {entry['o']}"
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{GROUP}.{entry_id}.{stream[5:7]}@{FROM.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)

    # sendmail takes the recipient from the header
    if [address.addr_spec for address in message["To"].addresses] != [to]:
        print(f"{entry['o']}: the email address is not mailed to", file=sys.stderr, flush=True)
        return

    # from a file, so that sendmail reads the whole mail even if this process dies now
    with tempfile.TemporaryFile() as file:
        file.write(message.as_bytes())
        file.seek(0)
        status = subprocess.run(SENDMAIL, stdin=file, timeout=60).returncode
    if status != 0:
        raise Later(f"sendmail exits with {status}")


def work(redis, batch, backoff):
    start = time.monotonic()
    for stream, entry_id, fields in batch:
        if time.monotonic() - start > IDLE / 2:
            return          # others may take over the rest soon: it is redelivered
        try:
            if fields:      # else the entry was trimmed
                mail(stream, entry_id, dict(zip(fields[::2], fields[1::2])))
        except Exception as e:
            # other exceptions' texts can contain an address or a link
            backoff.fail(f"{stream} {entry_id}: {e if isinstance(e, Later) else type(e).__name__}")
        else:
            redis.call("XACK", stream, GROUP, entry_id)
            backoff.succeed()


def follow(redis, backoff):
    for stream in STREAMS:
        try:
            redis.call("XGROUP", "CREATE", stream, GROUP, START, "MKSTREAM")
        except Later as e:
            if "BUSYGROUP" not in str(e):
                raise

    cursors = dict.fromkeys(STREAMS, "0-0")
    while True:
        # first entries that any consumer did not acknowledge in time, then new ones; one per
        # stream, so that they are done before others take them over
        claims = redis.calls([("XAUTOCLAIM", stream, GROUP, CONSUMER, int(IDLE * 1000), cursors[stream], "COUNT", 1)
                              for stream in STREAMS])
        left = []
        for stream, (cursor, entries, *_) in zip(STREAMS, claims):
            cursors[stream] = cursor
            left += [(stream, *entry) for entry in entries if entry]
        work(redis, left, backoff)

        news = redis.call("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", 1, "BLOCK", 1000,
                          "STREAMS", *STREAMS, *[">"] * len(STREAMS))
        work(redis, [(stream, *entry) for stream, entries in news or [] for entry in entries], backoff)


def main():
    backoff = Backoff()
    while True:
        try:
            follow(Redis(env("MPK_REDIS", "unix:/run/redis/redis.sock")), backoff)
        except (OSError, Later) as e:
            backoff.fail(f"{e}" if isinstance(e, Later) else f"Redis is away: {e}")


if __name__ == "__main__":
    main()
