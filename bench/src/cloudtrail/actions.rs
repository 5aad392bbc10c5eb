//! What the users of the made-up accounts do: one row for each API call, with the templates of its
//! parameters and answer.
//!
//! A template is JSON with `$x` marks: `$h` 17 hex digits of an EC2 resource's id (one of a fleet),
//! `$H` 17 fresh hex digits, `$b` a bucket, `$k` an object key, `$u` a user, `$r` a role, `$a` the account,
//! `$g` the region, `$n` a number below 1,000, `$d` a UUID, `$s` a fresh 20-character session key id,
//! `$f` a function, `$q` the request id, `$t` the event's time.

/// One API call.
pub struct Action {
    /// How often, relative to the others.
    pub weight: u32,
    /// The service's name, before `.amazonaws.com`.
    pub service: &'static str,
    /// The event name.
    pub name: &'static str,
    /// Whether it only reads.
    pub read_only: bool,
    /// Template of `requestParameters`.
    pub request: &'static str,
    /// Template of `responseElements`.
    pub response: &'static str,
    /// Template of further members (`additionalEventData`, `resources`), each ending in a comma.
    pub extra: &'static str,
}

const fn read(weight: u32, service: &'static str, name: &'static str, request: &'static str) -> Action {
    Action { weight, service, name, read_only: true, request, response: "null", extra: "" }
}

const fn write(weight: u32, service: &'static str, name: &'static str, request: &'static str, response: &'static str) -> Action {
    Action { weight, service, name, read_only: false, request, response, extra: "" }
}

const fn with(action: Action, extra: &'static str) -> Action {
    Action { extra, ..action }
}

const S3: &str = r#""additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","AuthenticationMethod":"AuthHeader","x-amz-id-2":"$x","bytesTransferredOut":$n},"resources":[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$b"}],"#;
const KMS: &str = r#""resources":[{"accountId":"$a","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$g:$a:key/$e"}],"#;
const STS: &str = r#""resources":[{"accountId":"$a","type":"AWS::IAM::Role","ARN":"arn:aws:iam::$a:role/$r"}],"#;
const CREDENTIALS: &str = r#"{"credentials":{"accessKeyId":"$s","sessionToken":"$x","expiration":"$t"},"assumedRoleUser":{"assumedRoleId":"AROA$S:$u","arn":"arn:aws:sts::$a:assumed-role/$r/$u"}}"#;

/// The calls, the frequent ones first. Shares follow what account-wide trails look like: mostly
/// `Describe…`/`List…`/`Get…`, `AssumeRole` and `Decrypt` everywhere, few changes.
pub const ACTIONS: &[Action] = &[
    with(
        write(
            60,
            "sts",
            "AssumeRole",
            r#"{"roleArn":"arn:aws:iam::$a:role/$r","roleSessionName":"$u","durationSeconds":3600}"#,
            CREDENTIALS,
        ),
        STS,
    ),
    with(
        read(80, "kms", "Decrypt", r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$b"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#),
        KMS,
    ),
    with(
        read(
            50,
            "kms",
            "GenerateDataKey",
            r#"{"keyId":"arn:aws:kms:$g:$a:key/$e","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$b"},"keySpec":"AES_256"}"#,
        ),
        KMS,
    ),
    read(70, "ec2", "DescribeInstances", r#"{"instancesSet":{"items":[{"instanceId":"i-$h"}]},"filterSet":{}}"#),
    read(
        40,
        "ec2",
        "DescribeNetworkInterfaces",
        r#"{"networkInterfaceIdSet":{},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"vpc-$h"}]}}]}}"#,
    ),
    read(
        36,
        "ec2",
        "DescribeSecurityGroups",
        r#"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"sg-$h"}]},"filterSet":{}}"#,
    ),
    read(22, "ec2", "DescribeVolumes", r#"{"volumeSet":{"items":[{"volumeId":"vol-$h"}]},"filterSet":{}}"#),
    read(
        20,
        "ec2",
        "DescribeRouteTables",
        r#"{"routeTableIdSet":{},"filterSet":{"items":[{"name":"association.subnet-id","valueSet":{"items":[{"value":"subnet-$h"}]}}]}}"#,
    ),
    read(
        18,
        "ec2",
        "DescribeImages",
        r#"{"executableBySet":{},"imagesSet":{"items":[{"imageId":"ami-$h"}]},"ownersSet":{},"filterSet":{},"includeDeprecated":false}"#,
    ),
    read(30, "ec2", "DescribeTags", r#"{"filterSet":{"items":[{"name":"resource-id","valueSet":{"items":[{"value":"i-$h"}]}}]}}"#),
    write(
        6,
        "ec2",
        "RunInstances",
        r#"{"instancesSet":{"items":[{"imageId":"ami-$h","minCount":1,"maxCount":1}]},"instanceType":"m7g.large","subnetId":"subnet-$h","monitoring":{"enabled":false},"disableApiTermination":false,"clientToken":"$d"}"#,
        r#"{"requestId":"$q","reservationId":"r-$H","ownerId":"$a","instancesSet":{"items":[{"instanceId":"i-$H","imageId":"ami-$h","currentState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-$n-$n-12.$g.compute.internal"}]}}"#,
    ),
    write(
        6,
        "ec2",
        "TerminateInstances",
        r#"{"instancesSet":{"items":[{"instanceId":"i-$h"}]}}"#,
        r#"{"requestId":"$q","instancesSet":{"items":[{"instanceId":"i-$h","currentState":{"code":32,"name":"shutting-down"},"previousState":{"code":16,"name":"running"}}]}}"#,
    ),
    write(
        5,
        "ec2",
        "AuthorizeSecurityGroupIngress",
        r#"{"groupId":"sg-$h","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"10.$n.0.0/16","description":"internal"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#,
        r#"{"requestId":"$q","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"$a","groupId":"sg-$h","securityGroupRuleId":"sgr-$H","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443}]}}"#,
    ),
    write(
        10,
        "ec2",
        "CreateTags",
        r#"{"resourcesSet":{"items":[{"resourceId":"vol-$h"}]},"tagSet":{"items":[{"key":"owner","value":"$u"},{"key":"cost-center","value":"cc-$n"}]}}"#,
        r#"{"requestId":"$q","_return":true}"#,
    ),
    with(read(26, "s3", "GetBucketAcl", r#"{"bucketName":"$b","Host":"$b.s3.$g.amazonaws.com","acl":""}"#), S3),
    with(read(18, "s3", "ListBuckets", r#"{"Host":"s3.$g.amazonaws.com"}"#), S3),
    with(read(16, "s3", "GetBucketEncryption", r#"{"bucketName":"$b","Host":"$b.s3.$g.amazonaws.com","encryption":""}"#), S3),
    with(read(12, "s3", "GetBucketPolicy", r#"{"bucketName":"$b","Host":"$b.s3.$g.amazonaws.com","policy":""}"#), S3),
    with(
        write(
            2,
            "s3",
            "PutBucketPolicy",
            r#"{"bucketPolicy":{"Version":"2012-10-17","Statement":[{"Sid":"read-$n","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::$a:role/$r"},"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::$b","arn:aws:s3:::$b/*"]}]},"bucketName":"$b","Host":"$b.s3.$g.amazonaws.com","policy":""}"#,
            "null",
        ),
        S3,
    ),
    read(30, "iam", "GetRole", r#"{"roleName":"$r"}"#),
    read(20, "iam", "ListAttachedRolePolicies", r#"{"roleName":"$r"}"#),
    read(18, "iam", "GetUser", r#"{"userName":"$u"}"#),
    read(14, "iam", "ListAccessKeys", r#"{"userName":"$u"}"#),
    read(10, "iam", "GetPolicyVersion", r#"{"policyArn":"arn:aws:iam::$a:policy/$r-access","versionId":"v$v"}"#),
    write(3, "iam", "AttachRolePolicy", r#"{"roleName":"$r","policyArn":"arn:aws:iam::$a:policy/$r-access"}"#, "null"),
    write(
        3,
        "iam",
        "PutRolePolicy",
        r#"{"roleName":"$r","policyName":"inline-$n","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::$b/*\"}]}"}"#,
        "null",
    ),
    write(
        2,
        "iam",
        "CreateAccessKey",
        r#"{"userName":"$u"}"#,
        r#"{"accessKey":{"userName":"$u","accessKeyId":"$s","status":"Active","createDate":"$t"}}"#,
    ),
    read(24, "lambda", "GetFunction20150331v2", r#"{"functionName":"arn:aws:lambda:$g:$a:function:$f"}"#),
    read(14, "lambda", "ListTags20170331", r#"{"resource":"arn%3Aaws%3Alambda%3A$g%3A$a%3Afunction%3A$f"}"#),
    write(
        5,
        "lambda",
        "UpdateFunctionCode20150331v2",
        r#"{"functionName":"$f","s3Bucket":"$b","s3Key":"$k","publish":true,"dryRun":false}"#,
        r#"{"functionName":"$f","functionArn":"arn:aws:lambda:$g:$a:function:$f","runtime":"python3.13","role":"arn:aws:iam::$a:role/$r","handler":"app.handler","codeSize":48$n,"timeout":30,"memorySize":512,"codeSha256":"$y","version":"$n","revisionId":"$d","state":"Active","lastUpdateStatus":"InProgress"}"#,
    ),
    read(
        34,
        "secretsmanager",
        "GetSecretValue",
        r#"{"secretId":"arn:aws:secretsmanager:$g:$a:secret:prod/$f/db-QhXr7K","versionStage":"AWSCURRENT"}"#,
    ),
    read(28, "ssm", "GetParameter", r#"{"name":"/prod/$f/config","withDecryption":true}"#),
    read(20, "ssm", "DescribeInstanceInformation", r#"{"filters":[{"key":"InstanceIds","values":["i-$h"]}],"maxResults":50}"#),
    write(
        16,
        "ssm",
        "UpdateInstanceInformation",
        r#"{"instanceId":"i-$h","agentVersion":"3.3.2299.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.$n.$n.12","computerName":"ip-10-$n-$n-12.$g.compute.internal","agentName":"amazon-ssm-agent","availabilityZone":"$ga","availabilityZoneId":"use1-az4","sSMConnectionChannel":"ssmmessages"}"#,
        "null",
    ),
    read(18, "logs", "DescribeLogGroups", r#"{"logGroupNamePrefix":"/aws/lambda/$f","limit":50}"#),
    write(14, "logs", "CreateLogStream", r#"{"logGroupName":"/aws/lambda/$f","logStreamName":"2026/03/02/[$LATEST]$y"}"#, "null"),
    read(12, "rds", "DescribeDBInstances", r#"{"dBInstanceIdentifier":"$f-db"}"#),
    read(
        10,
        "elasticloadbalancing",
        "DescribeTargetHealth",
        r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:$g:$a:targetgroup/$f/$w"}"#,
    ),
    read(16, "eks", "DescribeCluster", r#"{"name":"$f-cluster"}"#),
    read(
        14,
        "ecr",
        "BatchGetImage",
        r#"{"registryId":"$a","repositoryName":"$f","imageIds":[{"imageDigest":"sha256:$y$y"}],"acceptedMediaTypes":["application/vnd.oci.image.manifest.v1+json","application/vnd.docker.distribution.manifest.v2+json"]}"#,
    ),
    read(10, "dynamodb", "DescribeTable", r#"{"tableName":"$f-state"}"#),
    read(8, "cloudtrail", "LookupEvents", r#"{"maxResults":50,"lookupAttributes":[{"attributeKey":"Username","attributeValue":"$u"}]}"#),
    read(8, "organizations", "DescribeOrganization", "null"),
];

/// What failed calls answer: code and message; few, as in real accounts.
pub const ERRORS: &[(&str, &str)] = &[
    ("AccessDenied", "User: $i is not authorized to perform: $o on resource: $z because no identity-based policy allows the $o action"),
    ("ThrottlingException", "Rate exceeded"),
    ("Client.RequestLimitExceeded", "Request limit exceeded."),
    (
        "Client.UnauthorizedOperation",
        "You are not authorized to perform this operation. User: $i is not authorized to perform: $o because no identity-based policy allows the $o action",
    ),
    ("NoSuchEntityException", "The role with name $r cannot be found."),
];
