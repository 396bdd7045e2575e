//! A handful of rules for tests of the engine: one for each thing it can do.

macro_rules! rule {
    ($id:literal, $kind:literal, $class:literal, $label:literal, $rest:literal) => {
        (
            concat!($id, ".toml"),
            concat!(
                "id = \"",
                $id,
                "\"\nkind = \"",
                $kind,
                "\"\nentity = \"OTHER\"\nclass = \"",
                $class,
                "\"\nlabel = \"",
                $label,
                "\"\ndescription = \"test\"\nsource = \"test\"\n",
                $rest
            ),
        )
    };
}

/// File name and text.
pub(crate) const RULES: &[(&str, &str)] = &[
    rule!(
        "card",
        "credit_card",
        "payment",
        "CARD",
        r#"
last_four = true
check = "card"
[[pattern]]
regex = '''\b\d(?:[ -]?\d){11,18}\b'''
score = 0.4
checked = 0.9
[[example]]
text = "card «4111 1111 1111 1111» ok"
[[near_miss]]
text = "4111 1111 1111 1112"
"#
    ),
    rule!(
        "email",
        "email",
        "identity",
        "EMAIL",
        r#"
[[pattern]]
regex = '''\b[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,40}(?:\.[A-Za-z0-9-]{1,20}){0,2}\.[A-Za-z]{2,10}\b'''
score = 0.95
[[example]]
text = "write to «joe@example.com»."
[[near_miss]]
text = "joe@example"
"#
    ),
    rule!(
        "one-time-code",
        "one_time_code",
        "secret",
        "CODE",
        r#"
[[pattern]]
regex = '''\b\d{4,8}\b'''
score = 0.3
[context]
words = ["code", "one time"]
against = ["order"]
required = true
[[example]]
text = "the code is «123456»"
[[example]]
text = "«123456»"
previous = "One time password?"
[[near_miss]]
text = "123456"
"#
    ),
    rule!(
        "password",
        "password",
        "secret",
        "PASSWORD",
        r#"
[[pattern]]
regex = '''(?i)\bpassword(?: is|:) (?P<value>[!-~]{4,40})'''
score = 0.8
[[example]]
text = "Password: «hunter2»"
[[near_miss]]
text = "password reset"
"#
    ),
    rule!(
        "private-key",
        "private_key",
        "secret",
        "KEY",
        r#"
[[pattern]]
regex = '''-----BEGIN PRIVATE KEY-----'''
score = 1.0
[long]
until = "-----END PRIVATE KEY-----"
[[example]]
text = "x «-----BEGIN PRIVATE KEY----- abc -----END PRIVATE KEY-----» y"
[[near_miss]]
text = "-----BEGIN PUBLIC KEY-----"
"#
    ),
    rule!(
        "token",
        "api_key",
        "secret",
        "TOKEN",
        r#"
[[pattern]]
regex = '''\btok_[a-z0-9]{16}'''
score = 0.9
[long]
body = '''[a-z0-9]'''
[[example]]
text = "use «tok_abcdefgh12345678abc»!"
[[near_miss]]
text = "tok_abc"
"#
    ),
];
