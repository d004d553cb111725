"""An S3 store as its users know it: an address, keys, a bucket."""

import uuid
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import boto3
from botocore.config import Config


@cache  # making one takes longer than a whole test
def client(endpoint: str, access_key: str, secret_key: str) -> Any:
    session = boto3.Session(access_key, secret_key, region_name="us-east-1")
    return session.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}))


@dataclass(frozen=True)
class Store:
    endpoint: str
    access_key: str
    secret_key: str
    bucket: str = ""

    def with_new_bucket(self) -> "Store":
        """The same store, and a bucket there that nobody else uses."""
        other = replace(self, bucket=f"bucket-{uuid.uuid4().hex}")
        other.client().create_bucket(Bucket=other.bucket)
        return other

    def client(self) -> Any:
        """boto3's client, for looking past our own code."""
        return client(self.endpoint, self.access_key, self.secret_key)

    def environment(self) -> dict[str, str]:
        """The variables that make the service use this bucket."""
        return {
            "MEDIAWEB_STORAGE": "s3",
            "AWS_STORAGE_BUCKET_NAME": self.bucket,
            "AWS_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def keys_kept(self) -> list[str]:
        """Every key in the bucket. One page: a thousand, and tests keep fewer."""
        return [item["Key"] for item in self.client().list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def put(self, key: str, data: bytes = b"put here by hand") -> None:
        self.client().put_object(Bucket=self.bucket, Key=key, Body=data)
