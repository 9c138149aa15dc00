//! The command line, word for word: each `tests/cli/*.trycmd` is a session, run in a copy of the folder of its name.

#[test]
fn sessions() {
    trycmd::TestCases::new()
        .register_bin("cbwgen", std::path::Path::new(env!("CARGO_BIN_EXE_cbwgen")))
        .env("NO_COLOR", "1")
        .case("../tests/cli/*.trycmd");
}
