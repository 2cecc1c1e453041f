//! What each configuration of `fluent-bit/` is given, and what it must make of it.

use self::Given::{File, Forward, HealthCheck, Http};

/// What a configuration is given, and the documents that must arrive.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// A file of /fluent-bit/etc, without its ending.
    pub(crate) configuration: &'static str,
    /// A file that includes it, and is started with: in the classic form, and in YAML.
    pub(crate) own: Option<[&'static str; 2]>,
    pub(crate) variables: &'static [(&'static str, &'static str)],
    pub(crate) given: &'static [Given],
    /// Documents, one a line. The timestamp `read` stands for the time of reading.
    pub(crate) expected: &'static str,
}

pub(crate) enum Given {
    /// A file, and the variable of the path it is looked for under.
    File {
        variable: &'static str,
        pattern: &'static str,
        name: &'static str,
        content: &'static str,
    },
    /// Events, to the forward input.
    Forward(&'static str),
    /// A request's body, to the http input.
    Http(&'static str),
    /// A line, to FireLens's input for health checks.
    HealthCheck(&'static str),
}

const DEFAULTS: Case = Case {
    name: "",
    configuration: "tail",
    own: None,
    variables: &[],
    given: &[],
    expected: "",
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "JSON lines of winston, NestJS and pino",
        given: &[File {
            variable: "APP_LOG_PATH",
            pattern: "*.log",
            name: "app.log",
            content: include_str!("samples/json.log"),
        }],
        expected: include_str!("samples/json.expected"),
        ..DEFAULTS
    },
    Case {
        name: "pino with the time as text",
        variables: &[("SIDECAR_JSON_PARSER", "json_time")],
        given: &[File {
            variable: "APP_LOG_PATH",
            pattern: "*.log",
            name: "app.log",
            content: include_str!("samples/pino.log"),
        }],
        expected: include_str!("samples/pino.expected"),
        ..DEFAULTS
    },
    Case {
        name: "stack traces of Java, Node and Python",
        own: Some([
            "@INCLUDE tail.conf\n@INCLUDE stack_traces.conf\n",
            "includes:\n  - tail.yaml\n  - stack_traces.yaml\n",
        ]),
        given: &[File {
            variable: "APP_LOG_PATH",
            pattern: "*.log",
            name: "app.log",
            content: include_str!("samples/stack_traces.log"),
        }],
        expected: include_str!("samples/stack_traces.expected"),
        ..DEFAULTS
    },
    Case {
        name: "Elastic Beanstalk's containers and nginx",
        configuration: "beanstalk",
        given: &[
            File {
                variable: "BEANSTALK_LOG_PATH",
                pattern: "*-stdouterr.log",
                name: "eb-1234-stdouterr.log",
                content: include_str!("samples/beanstalk.log"),
            },
            File {
                variable: "NGINX_ACCESS_LOG_PATH",
                pattern: "access.log",
                name: "access.log",
                content: include_str!("samples/nginx-access.log"),
            },
            File {
                variable: "NGINX_ERROR_LOG_PATH",
                pattern: "error.log",
                name: "error.log",
                content: include_str!("samples/nginx-error.log"),
            },
        ],
        expected: include_str!("samples/beanstalk.expected"),
        ..DEFAULTS
    },
    Case {
        name: "the containers of a Kubernetes node",
        configuration: "kubernetes",
        given: &[
            File {
                variable: "KUBERNETES_LOG_PATH",
                pattern: "*.log",
                name: "web-7d9f-x2_shop-prod_web-app-\
                       0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log",
                content: include_str!("samples/kubernetes.log"),
            },
            File {
                variable: "KUBERNETES_EXCLUDE_PATH",
                pattern: "*_*_fluent-bit-*.log",
                name: "logs-1_logging_fluent-bit-\
                       0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log",
                content: "2024-02-29T23:59:59.123456789Z stdout F its own line\n",
            },
        ],
        expected: include_str!("samples/kubernetes.expected"),
        ..DEFAULTS
    },
    Case {
        name: "Docker's lines, a library's events, and HTTP",
        configuration: "sidecar",
        given: &[
            Forward(include_str!("samples/docker.forward")),
            Http("[{\"message\":\"over HTTP\"},{\"message\":\"over HTTP, too\"}]"),
        ],
        expected: include_str!("samples/docker.expected"),
        ..DEFAULTS
    },
];

/// For the classic form alone, since that is what ECS writes.
pub(crate) const FIRELENS: Case = Case {
    name: "FireLens by firelens.conf",
    configuration: "firelens",
    own: Some([include_str!("samples/firelens.conf"), ""]),
    given: &[
        Forward(include_str!("samples/firelens.forward")),
        HealthCheck("{\"health\":\"check\"}\n"),
    ],
    expected: include_str!("samples/firelens.expected"),
    ..DEFAULTS
};
