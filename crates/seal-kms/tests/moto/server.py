"""AWS KMS as the tests have it: moto, which checks signatures and what an access key may do.

Says in one line of JSON where it is and what is in it, then does what each line on its standard input says
(`disable KEY`, `enable KEY`) and answers `done`. It ends with its standard input.
"""

import json
import os
import sys

import boto3
import moto.server
from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend, kms_backends

REGION = "eu-central-1"


class Disabled(JsonRESTError):
    code = 400

    def __init__(self):
        super().__init__("DisabledException", "a canary that nobody is shown")


def with_state(method, name):
    """moto keeps a key's state and never looks at it; the real service refuses (API reference: DisabledException)."""

    def checked(self, *args, **kwargs):
        key = kwargs.get("key_id")
        if key and self.keys[self.any_id_to_key_id(key)].key_state == "Disabled":
            raise Disabled()
        return method(self, *args, **kwargs)

    setattr(KmsBackend, name, checked)


with_state(KmsBackend.encrypt, "encrypt")
with_state(KmsBackend.decrypt, "decrypt")

server = moto.server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"

os.environ.update(AWS_ACCESS_KEY_ID="setup", AWS_SECRET_ACCESS_KEY="setup", AWS_DEFAULT_REGION=REGION)
kms = boto3.client("kms", endpoint_url=url)
iam = boto3.client("iam", endpoint_url=url)
sts = boto3.client("sts", endpoint_url=url)


def key(**more):
    return kms.create_key(**more)["KeyMetadata"]["Arn"]


def policy(*actions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(name, *actions):
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy(*actions))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return {"id": made["AccessKeyId"], "secret": made["SecretAccessKey"]}


def lent():
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = iam.create_role(RoleName="lent", AssumeRolePolicyDocument=trust)["Role"]
    iam.put_role_policy(RoleName="lent", PolicyName="lent", PolicyDocument=policy("kms:Encrypt", "kms:Decrypt"))
    made = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="lent")["Credentials"]
    return {"id": made["AccessKeyId"], "secret": made["SecretAccessKey"], "token": made["SessionToken"]}


house = key()
kms.create_alias(AliasName="alias/house", TargetKeyId=house)
facts = {
    "url": url,
    "region": REGION,
    "house": house,
    "other": key(),
    "right": user("right", "kms:Encrypt", "kms:Decrypt"),
    "reader": user("reader", "kms:ListKeys"),
    "lent": lent(),
}
# From here on everybody is asked who they are.
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
ActionAuthenticatorMixin.request_count = 0
print(json.dumps(facts), flush=True)

keys = kms_backends[DEFAULT_ACCOUNT_ID][REGION].keys
for line in sys.stdin:
    what, arn = line.split()
    keys[arn.rpartition("/")[2]].key_state = {"disable": "Disabled", "enable": "Enabled"}[what]
    print("done", flush=True)
