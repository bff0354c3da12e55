"""The Alibaba SDKs of ECD and ECS, with the new signature (ACS3), with the old one (v1), and by the old SDK."""

from alibabacloud_ecd20200930 import models as em
from alibabacloud_ecd20200930.client import Client as Ecd
from alibabacloud_ecs20140526 import models as cm
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_tea_openapi import utils as clock
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from support import HOST, OWNER, REGION, RECIPIENT, STRANGER, access_key, an_hour_behind, call, expect, image, refused
from support import elsewhere, full_ecs, sealed

ONE, TWO = 118272523431001, 118272523431002
KEYS = {project: access_key(project) for project in (OWNER, RECIPIENT, STRANGER)}


def config(project, credentials=None, **options):
    key, secret = credentials or KEYS[project]
    return Config(
        access_key_id=key, access_key_secret=secret, endpoint=HOST, protocol="http", region_id=REGION, **options
    )


def journey(**options):
    ecd, ecs = Ecd(config(OWNER, **options)), Ecs(config(OWNER, **options))
    strange = Ecd(config(STRANGER, **options))
    shared = image("alibaba")
    on = {"region_id": REGION, "image_id": shared}

    def accounts():
        return sorted(ecd.describe_image_permission(em.DescribeImagePermissionRequest(**on)).body.ali_uids or [])

    def modify(client, **change):
        return client.modify_image_permission(em.ModifyImagePermissionRequest(**{**on, **change}))

    expect("share", bool(modify(ecd, add_account=[ONE, TWO]).body.request_id), True)
    expect("shared with", accounts(), [str(ONE), str(TWO)])
    described = ecd.describe_images(em.DescribeImagesRequest(region_id=REGION, image_id=[shared], max_results=10)).body
    expect("described", [(one.image_id, one.shared_count) for one in described.images], [(shared, 2)])
    modify(ecd, remove_account=[TWO])
    expect("shared with", accounts(), [str(ONE)])
    with_gpu = image("with a GPU", GpuCategory="true", AppVersion="1.2")
    seen = ecd.describe_images(em.DescribeImagesRequest(region_id=REGION, gpu_category=True, max_results=100)).body.images
    expect("images with a GPU", [(one.gpu_category, one.app_version) for one in seen if one.image_id == with_gpu], [(True, "1.2")])
    expect("no image without", shared in [one.image_id for one in seen], False)

    for what, code, refusal in (
        ("an unknown image", "InvalidImageId.NotFound", lambda: modify(ecd, image_id="m-unknown", add_account=[1])),
        ("a stranger's image", "InvalidImageId.NotFound", lambda: modify(strange, add_account=[ONE])),
    ):
        expect(what, refused(what, ClientException, refusal).code, code)
    wrong, unknown = (Ecd(config(OWNER, of, **options)) for of in ((KEYS[OWNER][0], "wrong"), ("nobody", "x")))
    for what, code, refusal, says in (
        ("a wrong secret", "SignatureDoesNotMatch", lambda: modify(wrong, add_account=[TWO]), "check the secret"),
        ("an unknown key", "InvalidAccessKeyId.NotFound", lambda: modify(unknown, add_account=[TWO]), "key is not found"),
        ("another region", "InvalidRegionId.NotFound", lambda: modify(ecd, region_id="eu-de", add_account=[TWO]), f"this is {REGION}"),
    ):
        expect(what, refused(what, ClientException, refusal, says).code, code)
    encrypted, whole = sealed("alibaba, encrypted")[0], full_ecs("alibaba, full-ECS")
    far = elsewhere()
    for what, code, change, says in (
        ("an encrypted image", "OperationDeined.EncryptedSnapshot", {"image_id": encrypted}, "grant it to the project"),
        ("a full-ECS image", "OperationDenied.FullEcsImage", {"image_id": whole}, "accepted into a vault"),
        ("an account of another region", "OperationDenied.OtherRegion", {"add_account": [TWO, far]}, "is of another region"),
    ):
        change = {"add_account": [TWO], **change}
        expect(what, refused(what, ClientException, lambda: modify(ecd, **change), says).code, code)
    with an_hour_behind(clock):
        late = refused("a wrong clock", ClientException, lambda: modify(ecd, add_account=[TWO]), "check your clock")
    expect("a wrong clock", late.code, "InvalidTimeStamp.Expired")
    expect("a refusal changed nothing", accounts(), [str(ONE)])

    ecs.modify_image_share_permission(cm.ModifyImageSharePermissionRequest(**on, add_account=[str(TWO)]))
    listed = ecs.describe_image_share_permission(
        cm.DescribeImageSharePermissionRequest(**on, page_number=1, page_size=10)
    ).body
    expect("listed", sorted(one.aliyun_id for one in listed.accounts.account), [str(ONE), str(TWO)])
    expect("total", listed.total_count, 2)
    looked = ecs.describe_images(cm.DescribeImagesRequest(**on)).body
    found = [(one.image_id, one.image_owner_alias, one.is_self_shared) for one in looked.images.image]
    expect("described by ECS", (looked.total_count, found), (1, [(shared, "self", "True")]))


print("-- ACS3-HMAC-SHA256")
journey()
print("-- HMAC-SHA1")
journey(signature_algorithm="v2")

print("-- aliyun-python-sdk-core")
shared = image("alibaba, old SDK")
old = AcsClient(*KEYS[OWNER], REGION)


def request(action, client=old, **parameters):
    request = CommonRequest(domain=HOST, version="2020-09-30", action_name=action)
    request.set_protocol_type("http")
    request.set_method("POST")
    for name, value in {"RegionId": REGION, "ImageId": shared, **parameters}.items():
        request.add_query_param(name, value)
    return client.do_action_with_exception(request)


request("ModifyImagePermission", **{"AddAccount.1": str(ONE)})
expect("shared with", str(ONE) in request("DescribeImagePermission").decode(), True)
error = refused(
    "an unknown image", ServerException, lambda: request("ModifyImagePermission", ImageId="bad", **{"AddAccount.1": "1"})
)
expect("its code", error.get_error_code(), "InvalidImageId.NotFound")
wrong = AcsClient(KEYS[OWNER][0], "wrong", REGION)
error = refused("a wrong secret", ServerException, lambda: request("DescribeImagePermission", wrong), "check the secret")
expect("its code", error.get_error_code(), "SignatureDoesNotMatch")

image_of_account = image("for an account")
ecd = Ecd(config(OWNER))
ecd.modify_image_permission(
    em.ModifyImagePermissionRequest(region_id=REGION, image_id=image_of_account, add_account=[ONE])
)
members = call("GET", f"/v2/images/{image_of_account}/members", OWNER)["members"]
expect("to Glance it is accepted", [(one["member_id"], one["status"]) for one in members], [(str(ONE), "accepted")])
