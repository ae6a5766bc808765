"""The services of deploy/compose.yaml work together, and come back from a back-up."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import boto3
import optuna
import pytest

from tests import sealed
from tests.deploy import stack as stacks

ROOT = stacks.ROOT
PAGE = (ROOT / "docs/deploy.md").read_text()
IMAGE = (ROOT / "docs/page.jpg").read_bytes()


def commands(name):
    """The commands of a marked block of the page."""
    block = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE, re.DOTALL)[1]
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """The variables that the page's command writes into .env."""
    folder = tmp_path_factory.mktemp("settings")
    (make,) = [line for line in commands("env") if line.endswith("> .env")]
    subprocess.run(["bash", "-ec", make], cwd=folder, check=True)
    return dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines())


@pytest.fixture(scope="module")
def stack(tmp_path_factory, settings, filled):
    """All services, healthy; version 1 is champion."""
    folder = tmp_path_factory.mktemp("stack")
    with stacks.running(folder, settings) as stack:
        stack.token, stack.models = settings["DIGITS_TOKEN"], filled
        stack.compose("docker compose run --rm prepare")
        stack.start("mlflow", "dashboard")
        publish(stack, 1)
        stack.compose("docker compose up -d")
        yield stack


def publish(stack, seed):
    """Register a new model as version `seed`, and make it champion."""
    folder = stack.folder / f"project-{seed}"
    folder.mkdir()
    (folder / "dvc.yaml").touch()
    shutil.copy(ROOT / "params.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sealed, "sealed_folder", lambda *_: stack.models / f"model-{seed}")
        patch.setenv("MLFLOW_TRACKING_URI", stack.address("mlflow"))
        version = sealed.publish(folder / "model", seed)
        version.store.client.set_registered_model_alias("digits", "champion", str(seed))


def ask(stack, path, body=None, name="digits", **headers):
    """Status and answer of a request to a service."""
    headers = {"Authorization": f"Bearer {stack.token}", **headers}
    request = urllib.request.Request(stack.address(name) + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def served_model(stack):
    """Version and hash of the model that answers now."""
    status, answer = ask(stack, "/predict", IMAGE)
    assert status == 200, answer
    return json.loads(answer)["model"]


def wait_for_version(stack, version):
    """Wait until a version answers; its identity."""
    until = time.monotonic() + 60
    while (model := served_model(stack))["version"] != version:
        assert time.monotonic() < until
        time.sleep(0.2)
    return model


def send_feedback(stack):
    """Store a person's correction."""
    body = {"picture": b64encode(IMAGE).decode(), "label": "7", "answer": "1", "status": "ok"}
    body |= {"probability": 0.5, "model": served_model(stack)}
    assert ask(stack, "/feedback", json.dumps(body).encode())[0] == 200


def test_mlflow_is_asked_by_its_names_only(stack):
    """It refuses a foreign name that a page resolves to this machine (DNS rebinding)."""
    port = stack.ports["mlflow"][1]
    path = "/api/2.0/mlflow/registered-models/get?name=digits"
    hosts = (f"mlflow:{port}", f"localhost:{port}", "evil.example")

    assert [ask(stack, path, name="mlflow", Host=host)[0] for host in hosts] == [200, 200, 403]


def test_the_service_needs_its_volume_only(stack):
    """It stores feedback as a user without privileges, on a read-only root."""
    if not stack.confined:
        pytest.skip("a read-only root is not allowed here")
    send_feedback(stack)
    process = Path(f"/proc/{stack.running['digits'].pid}")
    mounts = [line.split() for line in (process / "mounts").read_text().splitlines()]
    status = dict(re.findall(r"(\w+):\t(.*)", (process / "status").read_text()))

    assert [options.split(",")[0] for _, path, _, options, *_ in mounts if path == "/"] == ["ro"]
    assert (process / "uid_map").read_text().split()[0] == "10001"
    assert int(status["CapEff"], 16) == 0


def bucket_client(stack):
    """A client of the S3 server, with the stack's account."""
    account = stack.environment("mlflow")
    session = boto3.Session(account["AWS_ACCESS_KEY_ID"], account["AWS_SECRET_ACCESS_KEY"])
    place = {"endpoint_url": account["AWS_ENDPOINT_URL"], "region_name": "us-east-1"}
    return session.resource("s3", **place)


def test_everything_comes_back_from_a_backup(stack, settings):
    """The page's commands save and restore versions, data, studies and feedback."""
    publish(stack, 2)
    before = wait_for_version(stack, "2")
    send_feedback(stack)
    s3 = bucket_client(stack)
    s3.Bucket("dvc").put_object(Key="files/md5/ab/cd", Body=b"data")
    database = f"digits:{settings['POSTGRES_PASSWORD']}@127.0.0.1:{stack.ports['postgres'][1]}"
    studies = {"storage": f"postgresql://{database}/optuna"}
    optuna.create_study(study_name="mlp", **studies)
    for line in commands("backup"):
        stack.compose(line) if "docker" in line else subprocess.run(line.split(), cwd=stack.folder)

    stack.stop("digits")
    for name in ("mlflow", "optuna"):
        stack.call("postgres", ["dropdb", "-U", "digits", "--force", name])
        stack.call("postgres", ["createdb", "-U", "digits", name])
    for bucket in s3.buckets.all():
        bucket.objects.delete()
        bucket.delete()
    for path in stack.volume.iterdir():
        shutil.rmtree(path)
    for line in commands("restore"):
        stack.compose(line)

    assert served_model(stack) == before
    assert s3.Object("dvc", "files/md5/ab/cd").get()["Body"].read() == b"data"
    assert optuna.get_all_study_names(**studies) == ["mlp"]
    assert (stack.volume / "data/feedback/labels.csv").exists()
