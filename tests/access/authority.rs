//! What vends credentials to the plugin: STS, a container's credentials endpoint, and an EC2
//! instance's metadata service (IMDSv2), as one server in the clear on loopback.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fake_firehose::Credentials;

use crate::http::{Request, Server, answer};

/// The path of the container's credentials.
pub(crate) const CONTAINER_PATH: &str = "/v1/credentials";
const INSTANCE_PREFIX: &str = "/latest/";
const INSTANCE_ROLE: &str = "logs-instance-role";
/// All credentials that are vended expire then: no test lives to see it.
const EXPIRATION: &str = "2099-01-01T00:00:00Z";

/// What the authority was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    AssumeRole {
        role: String,
        session: String,
        external_id: Option<String>,
        /// The access key that signed the call.
        caller: String,
        region: String,
    },
    AssumeRoleWithWebIdentity {
        role: String,
        session: String,
        token: String,
    },
    Container,
    Instance {
        path: String,
    },
}

/// What it has to give.
#[derive(Clone, Default)]
pub(crate) struct Holdings {
    /// STS: the credentials of roles, by ARN. Others are denied.
    pub(crate) roles: HashMap<String, Credentials>,
    /// The container's, in the order in which they are given out; the last ones again and again.
    pub(crate) container: Vec<Credentials>,
    /// What the container must send to get them.
    pub(crate) container_token: Option<String>,
    pub(crate) instance: Option<Instance>,
}

/// An EC2 instance.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
    /// The IMDSv2 token, which is a secret.
    pub(crate) token: String,
}

pub(crate) struct Authority {
    server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    holdings: Holdings,
    asked: Vec<Asked>,
}

impl Authority {
    pub(crate) fn start(holdings: Holdings) -> Self {
        let state = Arc::new(Mutex::new(State {
            holdings,
            asked: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |client| serve(client, &shared));
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.state).asked.clone()
    }
}

fn serve(client: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(client);
    let Some(request) = Request::read(&mut reader) else {
        return;
    };
    let answer = lock(state).answer(&request);
    // A client that has gone needs no answer.
    drop(reader.into_inner().write_all(answer.as_bytes()));
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&mut self, request: &Request) -> String {
        let path = request.target.as_str();
        match request.method.as_str() {
            "POST" if path == "/" => self.sts(request),
            "GET" if path == CONTAINER_PATH => self.container(request),
            _ if path.starts_with(INSTANCE_PREFIX) => self.instance(request),
            _ => answer("404 Not Found", "", ""),
        }
    }

    // --- STS, in AWS's Query protocol: a form in, XML out

    fn sts(&mut self, request: &Request) -> String {
        let form: HashMap<String, String> = form(&request.body);
        let get = |key: &str| form.get(key).cloned().unwrap_or_default();
        let (action, role, session) = (get("Action"), get("RoleArn"), get("RoleSessionName"));
        let asked = match action.as_str() {
            "AssumeRole" => {
                let Some((caller, region)) = signer(request) else {
                    return sts_error("MissingAuthenticationToken", "the call is not signed");
                };
                Asked::AssumeRole {
                    role: role.clone(),
                    session: session.clone(),
                    external_id: form.get("ExternalId").cloned(),
                    caller,
                    region,
                }
            }
            "AssumeRoleWithWebIdentity" => Asked::AssumeRoleWithWebIdentity {
                role: role.clone(),
                session: session.clone(),
                token: get("WebIdentityToken"),
            },
            _ => return sts_error("InvalidAction", "no such action"),
        };
        self.asked.push(asked);
        let Some(credentials) = self.holdings.roles.get(&role) else {
            return sts_refusal(request, &action);
        };
        let token = credentials.session_token.as_deref().unwrap_or_default();
        let body = format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
             <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:{session}</AssumedRoleId>\
             <Arn>arn:aws:sts::000000000000:assumed-role/logs/{session}</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
             <SessionToken>{token}</SessionToken><Expiration>{EXPIRATION}</Expiration>\
             </Credentials></{action}Result></{action}Response>",
            credentials.access_key, credentials.secret_key,
        );
        answer("200 OK", "content-type: text/xml\r\n", &body)
    }

    // --- The endpoint of ECS tasks and EKS pods

    fn container(&mut self, request: &Request) -> String {
        let holdings = &mut self.holdings;
        if request.header("authorization") != holdings.container_token.as_deref() {
            let body = r#"{"code":"AccessDenied","message":"wrong authorization token"}"#;
            return answer("403 Forbidden", "content-type: application/json\r\n", body);
        }
        self.asked.push(Asked::Container);
        let credentials = if holdings.container.len() > 1 {
            holdings.container.remove(0)
        } else {
            let last = holdings.container.first().cloned();
            last.expect("a test that asks for them has them")
        };
        json(&credentials, "")
    }

    // --- IMDSv2

    fn instance(&mut self, request: &Request) -> String {
        let Some(instance) = &self.holdings.instance else {
            return answer("404 Not Found", "", "");
        };
        let path = request.target.as_str();
        self.asked.push(Asked::Instance {
            path: path.to_owned(),
        });
        if path == "/latest/api/token" {
            let ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds");
            return match (request.method.as_str(), ttl) {
                ("PUT", Some(ttl)) => {
                    let ttl = format!("x-aws-ec2-metadata-token-ttl-seconds: {ttl}\r\n");
                    answer("200 OK", &ttl, &instance.token)
                }
                _ => answer("400 Bad Request", "", ""),
            };
        }
        if request.header("x-aws-ec2-metadata-token") != Some(instance.token.as_str()) {
            return answer("401 Unauthorized", "", "");
        }
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        match path.strip_prefix(ROLES) {
            Some("") => answer("200 OK", "", INSTANCE_ROLE),
            Some(INSTANCE_ROLE) => json(&instance.credentials, r#""Code":"Success","#),
            None if path == "/latest/meta-data/placement/region" => {
                answer("200 OK", "", &instance.region)
            }
            _ => answer("404 Not Found", "", ""),
        }
    }
}

fn json(credentials: &Credentials, more: &str) -> String {
    let token = credentials.session_token.as_deref().unwrap_or_default();
    let body = format!(
        r#"{{{more}"Type":"AWS-HMAC","AccessKeyId":"{}","SecretAccessKey":"{}","Token":"{token}","Expiration":"{EXPIRATION}"}}"#,
        credentials.access_key, credentials.secret_key,
    );
    answer("200 OK", "content-type: application/json\r\n", &body)
}

/// STS answers a caller whom it can't trust at length: with all that should have been signed.
fn sts_refusal(request: &Request, action: &str) -> String {
    if action != "AssumeRole" {
        return sts_error("AccessDenied", "not authorized to perform sts:AssumeRole");
    }
    let token = request.header("x-amz-security-token").unwrap_or_default();
    let message = format!(
        "The request signature we calculated does not match the signature you provided.\n\n\
         The Canonical String for this request should have been\n'POST\n/\n\n\
         x-amz-security-token:{token}\n'"
    );
    sts_error("SignatureDoesNotMatch", &message)
}

fn sts_error(code: &str, message: &str) -> String {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    );
    answer("403 Forbidden", "content-type: text/xml\r\n", &body)
}

/// The access key and the region of the request's signature, which is not checked.
fn signer(request: &Request) -> Option<(String, String)> {
    let authorization = request.header("authorization")?;
    let (_, credential) = authorization.split_once("Credential=")?;
    let mut scope = credential.split('/');
    let (key, _date, region) = (scope.next()?, scope.next()?, scope.next()?);
    Some((key.to_owned(), region.to_owned()))
}

fn form(body: &str) -> HashMap<String, String> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), decode(value)))
        .collect()
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        let code = u8::from_str_radix(code, 16).expect("two hexadecimal digits follow a %");
        decoded.push(char::from(code));
        decoded.push_str(rest);
    }
    decoded
}
