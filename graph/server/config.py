"""What the local Neo4j is started with: settings in, text out; nothing here touches the disk or a process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from graph.settings import Settings

MAIN_CLASS = "org.neo4j.server.Neo4jCommunity"
TRANSACTION_LOG_KEPT = "1 days 200M"
_SALT_BYTES = 32
_HASH_ITERATIONS = 1024

JAVA_OPTIONS = (
    "-XX:+UseG1GC",
    # Arrays of some 100 KB are everyday objects here; as "humongous" ones they start a collection of the whole heap.
    "-XX:G1HeapRegionSize=4m",
    "-XX:MetaspaceSize=192m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+DisableExplicitGC",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disable.jmx=true",
)


def neo4j_home(settings: Settings) -> Path:
    """Return the home folder of the local Neo4j."""
    return settings.home / "neo4j"


def neo4j_conf(settings: Settings) -> str:
    """Return the text of `neo4j.conf`: loopback only, no telemetry, no query log (it would hold personal data)."""
    home = neo4j_home(settings)
    values = {
        "server.default_listen_address": "127.0.0.1",
        "server.default_advertised_address": "127.0.0.1",
        "server.bolt.listen_address": f"127.0.0.1:{settings.bolt_port}",
        "server.bolt.advertised_address": f"127.0.0.1:{settings.bolt_port}",
        "server.http.listen_address": f"127.0.0.1:{settings.browser_port}",
        "server.http.advertised_address": f"127.0.0.1:{settings.browser_port}",
        "server.https.enabled": "false",
        "server.directories.import": str(home / "import"),
        "server.directories.logs": str(home / "logs"),
        "server.memory.heap.max_size": f"{settings.neo4j_heap_mb}m",
        "server.memory.pagecache.size": f"{settings.neo4j_page_cache_mb}m",
        "dbms.security.auth_enabled": "true",
        "dbms.security.http_access_control_allow_origin": f"http://127.0.0.1:{settings.browser_port}",
        "dbms.usage_report.enabled": "false",
        "dbms.fleet_manager.enabled": "false",
        "server.fleet_discovery.enabled": "false",
        "server.http.x_forward.enabled": "false",
        "client.allow_telemetry": "false",
        "db.logs.query.enabled": "OFF",
        # By default a transaction that is past its time is found two seconds late.
        "db.transaction.monitor.check.interval": "500ms",
        # Preallocated, an empty store takes 516 MB; so it takes 2 MB.
        "db.tx_log.preallocate": "false",
        "db.tx_log.rotation.retention_policy": TRANSACTION_LOG_KEPT,
        "db.tx_log.rotation.size": "32m",
        # Without it every stop waits ten seconds for connections that are already closed.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def java_arguments(settings: Settings, class_path: Sequence[Path], options: Sequence[str] = ()) -> str:
    """Return the text of Java's argument file: memory, options, class path, main class.

    The class path is spelled out in the lock's order: a start-up archive is only valid for the very same one.
    """
    home = neo4j_home(settings)
    arguments = [
        f"-Xms{settings.neo4j_heap_mb}m",
        f"-Xmx{settings.neo4j_heap_mb}m",
        *JAVA_OPTIONS,
        *options,
        "-cp",
        ":".join(str(jar) for jar in class_path),
        MAIN_CLASS,
        f"--home-dir={home}",
        f"--config-dir={home / 'conf'}",
    ]
    return "".join(f"{_quoted(argument)}\n" for argument in arguments)


def first_password_line(password: str, salt: bytes) -> str:
    """Return the line that `neo4j-admin dbms set-initial-password` leaves in `data/dbms/auth.ini`.

    Written before the first start, it makes the server be born with this password: there is no moment at which the
    well-known one would open the door. (Salted SHA-256, 1,024 rounds, as the locked version computes it.)
    """
    digest = hashlib.sha256(salt + password.encode()).digest()
    for _ in range(_HASH_ITERATIONS - 1):
        digest = hashlib.sha256(digest).digest()
    return f"neo4j:SHA-256,{digest.hex()},{salt.hex()},{_HASH_ITERATIONS}:\n"


def _quoted(argument: str) -> str:
    """Quote one argument for Java's argument file."""
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
