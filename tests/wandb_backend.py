"""What a W&B server knows, and its answers to the client's GraphQL: the inside of `tests.wandb_server`.

The operations and their fields are those that `wandb` 0.31 sends, found in its own queries.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import yaml

from tests.wandb_proposals import propose

ENTITY = "clinic"
ENTITY_NODE = {"id": "entity", "name": ENTITY}


@dataclass
class Run:
    """What the server knows of a run.

    `chosen` are the values that its sweep chose; `config` is without W&B's own `_wandb`.
    """

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    state: str = "pending"
    exitcode: int | None = None
    sweep: str | None = None
    project: str = ""
    group: str | None = None
    display_name: str | None = None
    host: str | None = None
    program: str | None = None
    agent: str | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    told_to_stop: bool = False


@dataclass
class Sweep:
    """A sweep as `wandb sweep` sent it."""

    name: str
    config: dict[str, Any]
    project: str
    state: str = "RUNNING"
    points: Iterator[dict[str, Any]] = field(default_factory=lambda: iter(()))
    runs: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)


@dataclass
class Artifact:
    """An artifact; `files` by their path in it."""

    name: str
    type: str
    run: str
    files: dict[str, bytes] = field(default_factory=dict)
    state: str = "PENDING"


class Backend:
    """Runs, sweeps, agents and artifacts, and what a client is told of them.

    Args:
        url: where files are uploaded to.
        proposals: the points that every sweep tries, in this order; None to propose by its `method`.
    """

    def __init__(self, url: str, proposals: list[dict[str, Any]] | None) -> None:
        self.url = url
        self.runs: dict[str, Run] = {}
        self.sweeps: dict[str, Sweep] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.agents: dict[str, tuple[str, str]] = {}  # id: (sweep, host)
        self.unknown: list[str] = []
        self._proposals = proposals
        self._stops: dict[int, int] = {}

    def stop_after(self, number: int, rows: int) -> None:
        """Tell the run started as `number`, counted from 0, to stop once `rows` rows of its history hold the metric."""
        self._stops[number] = rows

    def run(self, name: str) -> Run:
        return self.runs.setdefault(name, Run(name))

    def store(self, kind: str, owner: str, name: str, body: bytes) -> None:
        files = self.artifacts[owner].files if kind == "artifact" else self.run(owner).files
        files[name] = body

    def answer_query(self, body: dict[str, Any]) -> dict[str, Any]:
        operation = operation_of(body)
        answer = getattr(self, "_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower(), None)
        if answer is None:
            # With HTTP 500 the client tries again for minutes.
            self.unknown.append(operation)
            return {"errors": [{"message": f"{operation} is not known here"}]}
        variables = body.get("variables") or {}
        return {"data": answer(variables | (variables.get("input") or {}))}

    def _viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        user = {"id": "user", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}"}
        return {"viewer": user | {"teams": {"edges": [{"node": {"name": ENTITY}}]}}}

    def _server_features_query(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _organization_core_weave_organization_id(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}

    def _upsert_sweep(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("id"):
            sweep = self.sweeps[given["id"]]
            sweep.state = given.get("state") or sweep.state
        else:
            name = f"sweep{len(self.sweeps)}"
            config = yaml.safe_load(given["config"])
            points = propose(config) if self._proposals is None else iter(self._proposals)
            project = given.get("projectName") or config.get("project") or "uncategorized"
            sweep = self.sweeps[name] = Sweep(name, config, project, points=points)
        project_node = {"id": "project", "name": sweep.project, "entity": ENTITY_NODE}
        node = {"name": sweep.name, "project": project_node}
        return {"upsertSweep": {"sweep": node, "configValidationWarnings": []}}

    def _sweep_with_runs(self, given: dict[str, Any]) -> dict[str, Any]:
        sweep = self.sweeps.get(given["sweep"])
        if sweep is None:
            return {"project": {"sweep": None}}
        node = {
            "id": sweep.name,
            "name": sweep.name,
            "state": sweep.state,
            "config": yaml.safe_dump(sweep.config),
            "runs": {"edges": []},
        }
        return {"project": {"sweep": node}}

    def _create_agent(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"agent{len(self.agents)}"
        self.agents[name] = (given["sweep"], given["host"])
        self.sweeps[given["sweep"]].agents.append(name)
        return {"createAgent": {"agent": {"id": name}}}

    def _heartbeat(self, given: dict[str, Any]) -> dict[str, Any]:
        agent = given["id"]
        sweep = self.sweeps[self.agents[agent][0]]
        running = [name for name, alive in json.loads(given["runState"] or "{}").items() if alive]
        commands = self._stop_commands(sweep, running) if running else self._next_commands(sweep, agent)
        return {"agentHeartbeat": {"agent": {"id": agent}, "commands": json.dumps(commands)}}

    def _stop_commands(self, sweep: Sweep, running: list[str]) -> list[dict[str, Any]]:
        metric = sweep.config.get("metric", {}).get("name")
        stopped = []
        for name in running:
            rows = sum(metric in row for row in self.runs[name].history)
            if rows >= self._stops.get(sweep.runs.index(name), math.inf):
                self.runs[name].told_to_stop = True
                stopped.append({"type": "stop", "run_id": name})
        return stopped

    def _next_commands(self, sweep: Sweep, agent: str) -> list[dict[str, Any]]:
        full = len(sweep.runs) >= sweep.config.get("run_cap", math.inf)
        point = None if full or sweep.state != "RUNNING" else next(sweep.points, None)
        if point is None:
            return [{"type": "exit"}]
        name = f"{sweep.name}run{len(sweep.runs)}"
        sweep.runs.append(name)
        self.runs[name] = Run(name, sweep=sweep.name, project=sweep.project, agent=agent, chosen=point)
        arguments = {key: {"value": point[key]} for key in sorted(point)}
        return [{"type": "run", "run_id": name, "args": arguments, "program": sweep.config.get("program", "")}]

    def _upsert_bucket(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given.get("name") or given["id"].removeprefix("id-")
        inserted = name not in self.runs or self.runs[name].state == "pending"
        run = self.run(name)
        run.state = given.get("state") or "running"
        run.project = given.get("project") or run.project
        run.sweep = given.get("sweep") or run.sweep
        run.group = given.get("groupName") or run.group
        run.display_name = given.get("displayName") or run.display_name
        run.host = given.get("host") or run.host
        run.program = given.get("program") or run.program
        if given.get("config"):
            entries = json.loads(given["config"]).items()
            run.config = {key: entry["value"] for key, entry in entries if key != "_wandb"}
        if given.get("summaryMetrics"):
            run.summary = json.loads(given["summaryMetrics"])
        bucket = {
            "id": f"id-{name}",
            "name": name,
            "displayName": run.display_name or name,
            "config": given.get("config") or "{}",
            "sweepName": run.sweep,
            "project": {"id": "project", "name": run.project, "entity": ENTITY_NODE},
            "historyLineCount": len(run.history),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _run_resume_status(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(given["name"])
        node = {"id": "project", "name": given["project"], "entity": ENTITY_NODE}
        if run is None or run.state == "pending":
            return {"model": node | {"bucket": None}}
        bucket = {
            "id": f"id-{run.name}",
            "name": run.name,
            "displayName": run.display_name or run.name,
            "summaryMetrics": json.dumps(run.summary),
            "historyLineCount": len(run.history),
            "eventsLineCount": 0,
            "logLineCount": 0,
            "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
            "eventsTail": "[]",
            "config": json.dumps({key: {"value": value} for key, value in run.config.items()}),
            "tags": [],
            "wandbConfig": json.dumps({"t": 1}),
        }
        return {"model": node | {"bucket": bucket}}

    def _create_run_files(self, given: dict[str, Any]) -> dict[str, Any]:
        run = given["run"]
        files = [{"name": name, "uploadUrl": self._upload("run", run, name)} for name in given["files"]]
        return {"createRunFiles": {"runID": f"id-{run}", "uploadHeaders": [], "files": files}}

    def _upload(self, kind: str, owner: str, name: str) -> str:
        return f"{self.url}/storage/{kind}/{quote(owner)}/{quote(name)}"

    def _create_artifact(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"artifact{len(self.artifacts)}"
        collection = given.get("artifactCollectionName") or given["artifactCollectionNames"][0]
        self.artifacts[name] = Artifact(collection, given["artifactTypeName"], given.get("runName") or "")
        artifact = {"id": name, "state": "PENDING", "artifactSequence": {"id": collection, "latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}

    def _create_artifact_manifest(self, given: dict[str, Any]) -> dict[str, Any]:
        url = self._upload("artifact", given["artifactID"], "manifest.json")
        entry = {"id": f"file-{given['artifactID']}", "uploadUrl": url, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": given["artifactID"], "file": entry}}}

    def _create_artifact_files(self, given: dict[str, Any]) -> dict[str, Any]:
        edges = []
        for file in given["artifactFiles"]:
            owner = file["artifactID"]
            node = {
                "storagePath": file["name"],
                "uploadUrl": self._upload("artifact", owner, file["name"]),
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": owner},
            }
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _artifact_type(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"artifact": None}}

    def _commit_artifact(self, given: dict[str, Any]) -> dict[str, Any]:
        self.artifacts[given["artifactID"]].state = "COMMITTED"
        return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": ""}}}

    def stream(self, run: Run, sent: dict[str, Any]) -> dict[str, Any]:
        for name, chunk in (sent.get("files") or {}).items():
            lines = chunk["content"]
            if name == "wandb-history.jsonl":
                run.history[chunk["offset"] :] = [json.loads(line) for line in lines]
            elif name == "wandb-summary.json":
                run.summary = json.loads(lines[-1])
        if sent.get("complete"):
            run.exitcode = sent.get("exitcode")
            run.state = "finished" if run.exitcode == 0 else "failed"
        return {}


def operation_of(body: dict[str, Any]) -> str:
    """The name of the operation in a GraphQL body."""
    if body.get("operationName"):
        return str(body["operationName"])
    words = body["query"].replace("(", " ").replace("{", " ").split()
    return words[1] if len(words) > 1 else ""
