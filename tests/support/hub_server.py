"""A Hub on this machine: repositories, branches, LFS in one piece and in parts, private ones, and faults on demand.

It answers what ``huggingface_hub`` asks, with the real Hub's status codes and headers, from memory.
"""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

REGULAR_BYTES = 20_000
"""Larger files, and tensors, are LFS."""
LICENCES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "unknown", "other"}


@dataclass
class Repository:
    """Commits of a repository; a tree is ``path -> (oid, is_lfs)``."""

    private: bool = False
    gated: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    trees: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)

    def commit_of(self, revision: str) -> str | None:
        return self.branches.get(revision, revision if revision in self.trees else None)

    def commit(self, branch: str, tree: dict[str, tuple[str, bool]]) -> str:
        oid = hashlib.sha1(json.dumps([branch, len(self.trees), sorted(tree.items())]).encode()).hexdigest()
        self.trees[oid], self.branches[branch] = tree, oid
        return oid


@dataclass
class Hub:
    """State of the server."""

    address: str = ""
    tokens: dict[str, str] = field(default_factory=lambda: {"hf_ann": "ann", "hf_bob": "bob"})
    """User by token; a user may write to ``user/...`` and sees their own private repositories."""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    part_size: int | None = None
    """LFS uploads come in parts of so many bytes; None: in one piece."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, Range header."""
    fail: Callable[[str, str], bool] = lambda method, path: False
    """Drop the connection for this method and path without an answer."""
    cut: dict[str, list[int]] = field(default_factory=dict)
    """By file name: bytes after which each next download of it is cut off."""
    spoil: set[str] = field(default_factory=set)
    """Files that come with a byte changed."""

    def repository(self, repository: str, kind: str = "model") -> Repository:
        return self.repositories[(kind, repository)]

    def files(self, repository: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        found = self.repository(repository, kind)
        return {path: self.blobs[oid] for path, (oid, _) in found.trees[str(found.commit_of(revision))].items()}

    def count(self, method: str, pattern: str) -> int:
        return sum(1 for m, path, _ in self.requests if m == method and re.search(pattern, path))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle_any(self) -> None:
        address = urlsplit(self.path)
        path, self.query = unquote(address.path), parse_qs(address.query)
        body = self._read()
        self.hub.requests.append((self.command, path, self.headers.get("Range") or ""))
        if self.hub.fail(self.command, path):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        for pattern, handler in ROUTES:
            if match := re.fullmatch(pattern, path):
                handler(self, body, **match.groupdict())
                return
        self.error(404, "NotFound")

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def answer(self, status: int, content: Any = None, body: bytes | None = None, **headers: str) -> None:
        body = (b"" if content is None else json.dumps(content).encode()) if body is None else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status: int, code: str, message: str = "") -> None:
        self.answer(status, {"error": message or code}, X_Error_Code=code, X_Error_Message=message or code)

    @property
    def user(self) -> str | None:
        return self.hub.tokens.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))

    def opened(self, kind: str | None, name: str, write: bool = False) -> Repository | None:
        """The repository, if this user may; None after the error was sent."""
        found = self.hub.repositories.get((kind or "model", name))
        owner = name.split("/")[0]
        if found is None or (found.private and self.user != owner):
            self.error(404 if self.user else 401, "RepoNotFound", "Repository not found")
        elif found.gated and self.user != owner:
            self.error(403, "GatedRepo", "Access to this repository is restricted")
        elif write and self.user != owner:
            self.error(403, "Forbidden", "You don't have the rights to write here")
        else:
            return found
        return None

    def tree(self, repository: Repository, revision: str) -> tuple[str, dict[str, tuple[str, bool]]] | None:
        commit = repository.commit_of(unquote(revision))
        if commit is None:
            self.error(404, "RevisionNotFound", "Invalid rev id")
            return None
        return commit, repository.trees[commit]

    def who(self, body: bytes) -> None:
        if self.user is None:
            self.error(401, "Unauthorized", "Invalid credentials in Authorization header")
        else:
            self.answer(200, {"type": "user", "name": self.user, "orgs": []})

    def create(self, body: bytes) -> None:
        given = json.loads(body)
        if self.user is None:
            self.answer(401, {"error": "Invalid username or password."})
            return
        kind, owner = given.get("type") or "model", given.get("organization") or self.user
        name = f"{owner}/{given['name']}"
        address = f"{self.hub.address}/{'' if kind == 'model' else kind + 's/'}{name}"
        if owner != self.user:
            self.error(403, "Forbidden", f"You don't have the rights to create under {owner}")
        elif (kind, name) in self.hub.repositories:
            self.answer(409, {"error": "You already created this repo", "url": address})
        else:
            made = Repository(private=given.get("visibility") == "private" or bool(given.get("private")))
            made.commit("main", {})
            self.hub.repositories[(kind, name)] = made
            self.answer(200, {"url": address, "name": name, "id": name})

    def validate(self, body: bytes) -> None:
        """As the Hub does: the block must be YAML, with a licence it knows."""
        match = re.match(r"---\n(.*?)\n---\n", json.loads(body)["content"], re.DOTALL)
        header = yaml.safe_load(match[1]) if match else None
        wrong = []
        if not isinstance(header, dict):
            wrong.append("no metadata block")
        else:
            if header.get("license") not in LICENCES:
                wrong.append(f'"license" must be one of {sorted(LICENCES)}')
            if header.get("license") == "other" and not header.get("license_name"):
                wrong.append('"license_name" is required')
            if not all(isinstance(tag, str) for tag in header.get("tags", [])):
                wrong.append('"tags" must be texts')
            for entry in header.get("model-index", []):
                if not {"name", "results"} <= entry.keys():
                    wrong.append('"model-index" needs name and results')
        problems = [{"message": message} for message in wrong]
        self.answer(400 if wrong else 200, {"errors": problems, "warnings": [], "error": "; ".join(wrong)})

    def preupload(self, body: bytes, kind: str, name: str, revision: str) -> None:
        repository = self.opened(kind, name, write=True)
        found = self.tree(repository, revision) if repository else None
        if found is not None:
            files = [
                {
                    "path": f["path"],
                    "uploadMode": "lfs" if f["size"] > REGULAR_BYTES or f["path"].endswith("tensors") else "regular",
                    "shouldIgnore": False,
                    "oid": found[1].get(f["path"], (None,))[0],
                }
                for f in json.loads(body)["files"]
            ]
            self.answer(200, {"files": files})

    def branch(self, body: bytes, kind: str, name: str, revision: str) -> None:
        repository = self.opened(kind, name, write=True)
        if repository is None:
            return
        branch = unquote(revision)
        if branch in repository.branches:
            self.answer(409, {"error": "Reference already exists"})
            return
        repository.branches[branch] = repository.branches["main"]
        self.answer(200, {})

    def commit(self, body: bytes, kind: str, name: str, revision: str) -> None:
        repository = self.opened(kind, name, write=True)
        found = self.tree(repository, revision) if repository else None
        if repository is None or found is None:
            return
        tree = dict(found[1])
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                content = base64.b64decode(value["content"])
                oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                self.hub.blobs[oid], tree[value["path"]] = content, (oid, False)
            elif entry["key"] == "lfsFile":
                if value["oid"] not in self.hub.blobs:
                    self.error(400, "BadRequest", f"lfs object {value['oid']} was not uploaded")
                    return
                tree[value["path"]] = (value["oid"], True)
            elif entry["key"] == "deletedFile":
                tree.pop(value["path"], None)
        oid = repository.commit(unquote(revision), tree)
        self.answer(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.address}/{name}/commit/{oid}"})

    def batch(self, body: bytes, kind: str | None, name: str) -> None:
        if self.opened(kind, name, write=True) is None:
            return
        objects = []
        for entry in json.loads(body)["objects"]:
            answer = {"oid": entry["oid"], "size": entry["size"]}
            if entry["oid"] not in self.hub.blobs:
                answer["actions"] = self._upload_actions(entry["oid"], entry["size"])
            objects.append(answer)
        self.answer(200, {"transfer": "multipart" if self.hub.part_size else "basic", "objects": objects})

    def _upload_actions(self, oid: str, size: int) -> dict[str, Any]:
        verify = {"href": f"{self.hub.address}/lfs/{oid}/verify", "header": {}}
        if self.hub.part_size is None:
            return {"upload": {"href": f"{self.hub.address}/lfs/{oid}", "header": {}}, "verify": verify}
        count = -(-size // self.hub.part_size)
        header = {"chunk_size": str(self.hub.part_size)}
        header |= {str(part): f"{self.hub.address}/lfs/{oid}/part/{part}" for part in range(1, count + 1)}
        return {"upload": {"href": f"{self.hub.address}/lfs/{oid}/complete", "header": header}, "verify": verify}

    def put(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self.error(400, "BadDigest", "the content is not what its oid says")
            return
        self.hub.blobs[oid] = body
        self.answer(200)

    def put_part(self, body: bytes, oid: str, part: str) -> None:
        self.hub.parts[(oid, int(part))] = body
        self.answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def complete(self, body: bytes, oid: str) -> None:
        numbers = sorted(part["partNumber"] for part in json.loads(body)["parts"])
        self.put(b"".join(self.hub.parts[(oid, number)] for number in numbers), oid)

    def verify(self, body: bytes, oid: str) -> None:
        size = json.loads(body)["size"]
        good = len(self.hub.blobs.get(oid, b"")) == size
        self.answer(200 if good else 404, {})

    def info(self, body: bytes, kind: str, name: str, revision: str = "main") -> None:
        repository = self.opened(kind, name)
        found = self.tree(repository, revision) if repository else None
        if found is not None:
            files = [{"rfilename": path} for path in found[1]]
            self.answer(200, {"_id": "0", "id": name, "sha": found[0], "tags": [], "siblings": files})

    def list_tree(self, body: bytes, kind: str, name: str, revision: str) -> None:
        repository = self.opened(kind, name)
        found = self.tree(repository, revision) if repository else None
        if found is None:
            return
        entries = []
        for path, (oid, lfs) in found[1].items():
            size = len(self.hub.blobs[oid])
            entry = {"type": "file", "path": path, "size": size, "oid": hashlib.sha1(oid.encode()).hexdigest()}
            entry |= {"lfs": {"oid": oid, "size": size, "pointerSize": 130}} if lfs else {"oid": oid}
            entries.append(entry)
        self.answer(200, entries)

    def resolve(self, body: bytes, kind: str | None, name: str, revision: str, path: str) -> None:
        repository = self.opened(kind, name)
        found = self.tree(repository, revision) if repository else None
        if found is None:
            return
        if path not in found[1]:
            self.error(404, "EntryNotFound", "Entry not found")
            return
        oid, lfs = found[1][path]
        content = self.hub.blobs[oid]
        if path in self.hub.spoil:
            content = content[:-1] + bytes([content[-1] ^ 1])
        headers = {"X_Repo_Commit": found[0], "ETag": f'"{oid}"', "Accept_Ranges": "bytes"}
        if lfs:
            headers |= {"X_Linked_Etag": f'"{oid}"', "X_Linked_Size": str(len(content))}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked and self.command == "GET":
            start, end = int(asked[1]), int(asked[2] or len(content) - 1)
            headers["Content_Range"] = f"bytes {start}-{end}/{len(content)}"
            self._send(206, content[start : end + 1], path, headers)
        else:
            self._send(200, content, path, headers)

    def _send(self, status: int, content: bytes, path: str, headers: dict[str, str]) -> None:
        cuts = self.hub.cut.get(path.rsplit("/", 1)[-1], [])
        if self.command == "HEAD" or not cuts:
            self.answer(status, body=content, **headers)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content[: cuts.pop(0)])
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


_API = r"/api/(?P<kind>model|dataset)s/(?P<name>[^/]+/[^/]+)"
_PLAIN = r"/(?:(?P<kind>dataset)s/)?(?P<name>[^/]+/[^/]+)"
ROUTES: list[tuple[str, Callable[..., None]]] = [
    (r"/api/whoami-v2", Handler.who),
    (r"/api/repos/create", Handler.create),
    (r"/api/validate-yaml", Handler.validate),
    (rf"{_API}/preupload/(?P<revision>.+)", Handler.preupload),
    (rf"{_API}/commit/(?P<revision>.+)", Handler.commit),
    (rf"{_API}/branch/(?P<revision>.+)", Handler.branch),
    (rf"{_API}/revision/(?P<revision>.+)", Handler.info),
    (rf"{_API}/tree/(?P<revision>.+)", Handler.list_tree),
    (_API, Handler.info),
    (rf"{_PLAIN}\.git/info/lfs/objects/batch", Handler.batch),
    (r"/lfs/(?P<oid>[0-9a-f]{64})", Handler.put),
    (r"/lfs/(?P<oid>[0-9a-f]{64})/part/(?P<part>\d+)", Handler.put_part),
    (r"/lfs/(?P<oid>[0-9a-f]{64})/complete", Handler.complete),
    (r"/lfs/(?P<oid>[0-9a-f]{64})/verify", Handler.verify),
    (rf"{_PLAIN}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Handler.resolve),
]


@contextmanager
def serving() -> Iterator[Hub]:
    """A Hub that answers until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
