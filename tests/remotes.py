"""DVC remotes as people have them: a folder and a real S3 server."""

import boto3
from moto.server import ThreadedMotoServer

KEYS = {"access_key_id": "somebody", "secret_access_key": "secret"}


class Folder:
    """A remote in a folder, whose objects can be read and changed behind DVC's back."""

    def __init__(self, root):
        self.root = root
        self.url = str(root)
        self.settings = {}

    def _path(self, oid):
        return self.root / "files" / "md5" / oid[:2] / oid[2:]

    def read(self, oid):
        """The bytes of an object."""
        return self._path(oid).read_bytes()

    def write(self, oid, content):
        """Give an object other bytes, which takes no more than the right to write."""
        self._path(oid).chmod(0o644)
        self._path(oid).write_bytes(content)

    def remove(self, oid):
        """Take an object away."""
        self._path(oid).unlink()

    def close(self):
        """Nothing runs."""


class S3:
    """A bucket of a real S3 server in this process."""

    def __init__(self, _root):
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        address = "http://{}:{}".format(*self._server.get_host_and_port())
        self.url = "s3://digits/objects"
        self.settings = {"endpointurl": address, "region": "us-east-1", **KEYS}
        names = {f"aws_{name}": value for name, value in KEYS.items()}
        self._client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **names)
        self._client.create_bucket(Bucket="digits")

    def _key(self, oid):
        return {"Bucket": "digits", "Key": f"objects/files/md5/{oid[:2]}/{oid[2:]}"}

    def read(self, oid):
        """The bytes of an object."""
        return self._client.get_object(**self._key(oid))["Body"].read()

    def write(self, oid, content):
        """Give an object other bytes."""
        self._client.put_object(**self._key(oid), Body=content)

    def remove(self, oid):
        """Take an object away."""
        self._client.delete_object(**self._key(oid))

    def close(self):
        """End the server."""
        self._server.stop()


KINDS = {"local": Folder, "s3": S3}


def configure(folder, remote):
    """Make `remote` the default of the checkout in `folder`, for this checkout alone."""
    settings = {"url": remote.url, "verify": "true", **remote.settings}
    lines = [f"    {name} = {value}\n" for name, value in settings.items()]
    text = "[core]\n    remote = there\n['remote \"there\"']\n"
    (folder / ".dvc/config.local").write_text(text + "".join(lines))
