"""What the load is sent to: the origin itself, nginx, the bare hyper proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.children import free_address, program, running, simulator, wait_for_port
from bench.machine import LOAD_CORE, PROXY_CORE

CHAT = "/v1/chat/completions"

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_max_body_size 32m;
  client_body_buffer_size 1m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream origin {{ server {origin}; keepalive 4096; keepalive_requests 1000000000; }}
  server {{
    listen {address} backlog=4096;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Target:
    """Something that answers chat requests."""

    name: str
    address: str
    """host:port."""
    pids: tuple[int, ...]
    """The processes whose CPU and memory count; none for the origin itself."""

    @property
    def url(self) -> str:
        """Where chat requests go."""
        return f"http://{self.address}{CHAT}"


@contextmanager
def origin(folder: Path, *, tls_certificate: Path | None = None) -> Iterator[Target]:
    """The origin, beside the load client; over TLS it speaks HTTP/2."""
    address = free_address()
    log = folder / ("origin-tls.log" if tls_certificate else "origin.log")
    command = [simulator(), "origin", "--listen", address]
    if tls_certificate:
        command += ["--tls-certificate", str(tls_certificate)]
    with running(LOAD_CORE, command, log) as process:
        wait_for_port(address, process, log)
        yield Target("direct", address, ())


@contextmanager
def hyper(folder: Path, upstream: str) -> Iterator[Target]:
    """The bare hyper proxy: what any proxy on hyper must cost."""
    address, log = free_address(), folder / "hyper.log"
    command = [simulator(), "proxy", "--listen", address, "--upstream", upstream]
    with running(PROXY_CORE, command, log) as process:
        wait_for_port(address, process, log)
        yield Target("hyper", address, (process.pid,))


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[Target]:
    """Debian's nginx with one worker, keep-alive on both sides, no access log."""
    address, log = free_address(), folder / "nginx.log"
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, origin=upstream, address=address))
    command = [program("nginx"), "-p", str(folder), "-c", str(config)]
    with running(PROXY_CORE, command, log) as process:
        wait_for_port(address, process, log)
        yield Target("nginx", address, (process.pid,))
