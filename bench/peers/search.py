"""Asks DuckDB, chDB (embedded ClickHouse) and PostgreSQL what bench-search asks of Indelible.

    pip install duckdb chdb 'psycopg[binary]'
    python bench/peers/search.py duckdb DATA WORK
    python bench/peers/search.py chdb DATA WORK
    python bench/peers/search.py postgres DATA WORK     # initdb and postgres in PATH

Each peer loads the same events from the lake's columns and the payload files into its own format, with the
indexes that suit the questions, and answers with the raw record as Indelible does. One line of JSON: seconds to
load, bytes on disk, and the median of the rounds of each question in ms. WORK is removed before.
"""

import glob
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

ROUNDS = 21
WARM_UP_SECONDS, ASK_SECONDS = 10, 30
COLUMNS = '"index", time, source, action, status, class, actor, ip, id, country, raw'
WEEK = ("2026-06-24 00:00:00", "2026-07-02 00:00:00")

# Each with the names of what stands for the marks.
QUESTIONS = {
    "identity_last_50": ('SELECT {columns} FROM events WHERE actor = {actor} ORDER BY "index" DESC LIMIT 50'),
    "needle_address": ("SELECT {columns} FROM events WHERE ip = '203.0.113.66' ORDER BY \"index\" DESC LIMIT 50"),
    "needle_event_id": ('SELECT {columns} FROM events WHERE id = {id} ORDER BY "index" DESC LIMIT 50'),
    "needle_text": ('SELECT {columns} FROM events WHERE {text:AKIASTRANGERSKEY0001} ORDER BY "index" DESC LIMIT 50'),
    "failed_sign_ins_by_country_7_days": (
        "SELECT country, count(*) AS n FROM events WHERE class = 'Authentication' AND status = 'Failure' "
        "AND time >= '{from}' AND time < '{to}' GROUP BY country ORDER BY n DESC LIMIT 25"
    ),
    "histogram_and_5_facets_of_all": [
        "SELECT {day} AS d, count(*) FROM events GROUP BY d ORDER BY d",
        *[f"SELECT {c}, count(*) AS n FROM events GROUP BY {c} ORDER BY n DESC LIMIT 25" for c in ("source", "action", "status", "country", "actor")],
    ],
}


def pairs(data):
    """The lake's file and the payload file of each stretch of the log."""
    for lake in sorted(glob.glob(f"{data}/derived/main/lake/*.parquet")):
        yield lake, f"{data}/trails/main/payload/{os.path.basename(lake)}"


def joined(read, lake, payload, text):
    columns = ", ".join(f"l.{c.strip()}" for c in COLUMNS.split(",")[:-1])
    return (f'SELECT {columns}, p.raw FROM {read.format(literal(lake))} l '
            f'JOIN (SELECT "index", {text} AS raw FROM {read.format(literal(payload))}) p ON l."index" = p."index" '
            "WHERE l.entry = 'event'")


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def bytes_below(path):
    return sum(f.stat().st_blocks * 512 for f in pathlib.Path(path).rglob("*") if f.is_file())


class DuckDB:
    day, name = "date_trunc('day', time)", "duckdb"

    def __init__(self, work):
        import duckdb

        self.work, self.version = work, duckdb.__version__
        self.db = duckdb.connect(os.path.join(work, "events.duckdb"))
        self.db.execute("SET memory_limit='8GB'")
        self.db.execute("SET threads=2")
        self.db.execute("SET preserve_insertion_order=false")
        self.db.execute(f"SET temp_directory='{work}/spill'")

    def load(self, data):
        for nth, (lake, payload) in enumerate(pairs(data)):
            into = "INSERT INTO events" if nth else "CREATE TABLE events AS"
            self.db.execute(f"{into} {joined('read_parquet({})', lake, payload, 'decode(raw)')}")
        for column in ("actor", "ip", "id"):
            self.db.execute(f"CREATE INDEX by_{column} ON events ({column})")
        self.db.execute("CHECKPOINT")

    def run(self, sql):
        return self.db.execute(sql).fetchall()

    def text(self, word):
        return f"contains(raw, {literal(word)})"


class ChDB:
    day, name = "toStartOfDay(time)", "chdb"

    def __init__(self, work):
        import chdb
        from chdb import session

        self.version = chdb.__version__
        self.db = session.Session(os.path.join(work, "chdb"))
        self.run("SET max_threads = 2")

    def load(self, data):
        columns = '"index" UInt64, time DateTime64(3), source LowCardinality(String), action LowCardinality(Nullable(String)), '
        columns += "status LowCardinality(Nullable(String)), class LowCardinality(Nullable(String)), actor LowCardinality(Nullable(String)), "
        columns += "ip Nullable(String), id Nullable(String), country LowCardinality(Nullable(String)), raw String CODEC(ZSTD(1)), "
        columns += "INDEX a actor TYPE bloom_filter(0.001) GRANULARITY 1, INDEX b ip TYPE bloom_filter(0.001) GRANULARITY 1, "
        columns += "INDEX c id TYPE bloom_filter(0.001) GRANULARITY 1, INDEX d raw TYPE tokenbf_v1(262144, 3, 0) GRANULARITY 1"
        self.run("SET allow_suspicious_low_cardinality_types = 1")
        # The columns of a file are its own, not those of the table it goes to.
        self.run("SET use_structure_from_insertion_table_in_table_functions = 0")
        self.run(f"CREATE TABLE events ({columns}) ENGINE = MergeTree ORDER BY \"index\" SETTINGS index_granularity = 8192")
        for lake, payload in pairs(data):
            self.run(f"INSERT INTO events {joined('file({}, Parquet)', lake, payload, 'raw')}")
        self.run("OPTIMIZE TABLE events FINAL")

    def run(self, sql):
        text = str(self.db.query(sql, "JSONCompactEachRow"))
        return [json.loads(line) for line in text.splitlines() if line]

    def text(self, word):
        return f"hasToken(raw, {literal(word)})"


class Postgres:
    day, name = "date_trunc('day', time)", "postgres"

    def __init__(self, work):
        import duckdb

        self.reader, self.work = duckdb, work
        os.chmod(work, 0o777)
        self.data, self.socket = os.path.join(work, "cluster"), work
        self.as_owner(["initdb", "-D", self.data, "-U", "bench", "--auth=trust", "--encoding=UTF8", "--no-locale"])
        settings = ["listen_addresses=", "shared_buffers=2GB", "work_mem=256MB", "maintenance_work_mem=1GB", "max_wal_size=8GB",
                    "max_parallel_workers_per_gather=2", "synchronous_commit=off", "jit=off", f"unix_socket_directories={work}"]
        command = ["postgres", "-D", self.data, *[part for setting in settings for part in ("-c", setting)]]
        self.server = subprocess.Popen(self.owned(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if subprocess.run(["pg_isready", "-h", work], stdout=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
        import psycopg

        self.db = psycopg.connect(host=work, user="bench", dbname="postgres", autocommit=True)
        self.version = self.run("SHOW server_version")[0][0]

    def owned(self, command):
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command

    def as_owner(self, command):
        subprocess.run(self.owned(command), check=True, stdout=subprocess.DEVNULL)

    def load(self, data):
        self.run('CREATE TABLE events ("index" bigint, time timestamp, source text, action text, status text, class text, actor text, '
                 "ip text, id text, country text, raw text)")
        with self.db.cursor().copy("COPY events FROM STDIN") as copy:
            for lake, payload in pairs(data):
                rows = self.reader.connect().execute(joined("read_parquet({})", lake, payload, "decode(raw)"))
                while chunk := rows.fetchmany(10_000):
                    for row in chunk:
                        copy.write_row(row)
        self.run('CREATE INDEX ON events (actor, "index" DESC)')
        self.run('CREATE INDEX ON events (ip, "index" DESC)')
        self.run("CREATE INDEX ON events (id)")
        self.run("CREATE INDEX ON events (class, status, time) INCLUDE (country)")
        self.run("CREATE INDEX ON events USING gin (to_tsvector('simple', raw))")
        self.run("VACUUM ANALYZE events")

    def run(self, sql):
        found = self.db.execute(sql)
        return found.fetchall() if found.description else []

    def text(self, word):
        return f"to_tsvector('simple', raw) @@ to_tsquery('simple', {literal(word)})"

    def close(self):
        self.db.close()
        self.server.terminate()
        self.server.wait()


def filled(sql, peer, sample):
    sql = sql.replace("{columns}", COLUMNS).replace("{day}", peer.day).replace("{from}", WEEK[0]).replace("{to}", WEEK[1])
    sql = sql.replace("{actor}", literal(sample[0] or "")).replace("{id}", literal(sample[1] or ""))
    start = sql.find("{text:")
    if start >= 0:
        end = sql.index("}", start)
        sql = sql[:start] + peer.text(sql[start + 6 : end]) + sql[end + 1 :]
    return sql


def asked(peer, sql, samples, longest):
    """Milliseconds of each round, of as many as the time allows, and the rows of the last answer."""
    took, rows = [], 0
    for sample in samples:
        begin = time.perf_counter()
        for one in [sql] if isinstance(sql, str) else sql:
            rows = len(peer.run(filled(one, peer, sample)))
        took.append((time.perf_counter() - begin) * 1e3)
        if sum(took) > longest * 1e3:
            break
    return took, rows


def main():
    name, data, work = sys.argv[1:4]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    if not list(pairs(data)):
        sys.exit(f"{data}: no files of a lake; the server writes them behind the log")
    peer = {"duckdb": DuckDB, "chdb": ChDB, "postgres": Postgres}[name](work)
    begin = time.perf_counter()
    peer.load(data)
    seconds = time.perf_counter() - begin
    events = int(peer.run("SELECT count(*) FROM events")[0][0])
    random.seed(1)
    picks = ", ".join(str(random.randrange(events)) for _ in range(ROUNDS * 2))
    samples = [row for row in peer.run(f'SELECT actor, id FROM events WHERE "index" IN ({picks})') if row[0] and row[1]][:ROUNDS]
    answers = {"peer": name, "version": peer.version, "events": events, "load_seconds": round(seconds, 1),
               "events_per_second": round(events / seconds), "disk_bytes": bytes_below(work), "median_ms": {}, "rows": {}}
    for question, sql in QUESTIONS.items():
        asked(peer, sql, samples, WARM_UP_SECONDS)
        took, rows = asked(peer, sql, samples, ASK_SECONDS)
        answers["median_ms"][question] = round(statistics.median(took), 3)
        answers["rows"][question] = rows
    if hasattr(peer, "close"):
        peer.close()
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
