//! A function for the tests, with nothing but the standard library: it does what its event, or its environment, says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("an address");
    println!("starting");
    match std::env::var("START").as_deref() {
        Ok("exit") => std::process::exit(3),
        Ok("error") => {
            call(&api, "POST", "init/error", r#"{"errorType":"NoLuck","errorMessage":"no luck"}"#);
            std::process::exit(1);
        }
        Ok("hang") => std::thread::sleep(Duration::from_secs(3600)),
        _ => {}
    }
    let mut count = 0;
    loop {
        count += 1;
        let (head, event) = call(&api, "GET", "invocation/next", "");
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")));
            line.map(|line| line[name.len() + 2..].to_owned()).unwrap_or_default()
        };
        let id = header("lambda-runtime-aws-request-id");
        let number = |name: &str| {
            let (_, after) = event.split_once(&format!("\"{name}\":"))?;
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().ok()
        };
        for n in 0..number("print").unwrap_or(0) {
            println!("out {n}");
            eprintln!("err {n}");
        }
        if event.contains("\"stream\"") {
            println!("in {}", std::env::var("AWS_LAMBDA_LOG_STREAM_NAME").expect("a stream"));
        }
        if event.contains("\"partial\"") {
            print!("no newline");
            std::io::stdout().flush().expect("a pipe");
        }
        if event.contains("\"child\"") {
            let child = std::process::Command::new("sleep").arg("1234").spawn().expect("a child");
            println!("child {}", child.id());
        }
        std::thread::sleep(Duration::from_millis(number("sleep").unwrap_or(0)));
        if let Some((_, path)) = event.split_once("\"until\":\"") {
            let path = path.split('"').next().unwrap_or_default();
            while !std::path::Path::new(path).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if let Some(code) = number("exit") {
            std::process::exit(code as i32);
        }
        if event.contains("\"abort\"") {
            std::process::abort();
        }
        if std::env::var("TELL").is_ok() {
            println!("{event}");
        }
        if let Ok(answer) = std::env::var("ANSWER") {
            call(&api, "POST", &format!("invocation/{id}/response"), &answer);
            continue;
        }
        if event.contains("\"error\"") || std::env::var("FAIL").is_ok() {
            call(&api, "POST", &format!("invocation/{id}/error"), r#"{"errorType":"Asked","errorMessage":"as asked"}"#);
            continue;
        }
        let variables: Vec<String> = std::env::vars().map(|(name, value)| format!("{name:?}:{value:?}")).collect();
        let answer = match number("large") {
            Some(size) => format!("{:?}", "x".repeat(size as usize)),
            None => format!(
                "{{\"pid\":{},\"count\":{count},\"event\":{event},\"deadline\":{},\"arn\":{:?},\"trace\":{:?},\"env\":{{{}}}}}",
                std::process::id(),
                header("lambda-runtime-deadline-ms"),
                header("lambda-runtime-invoked-function-arn"),
                header("lambda-runtime-trace-id"),
                variables.join(",")
            ),
        };
        call(&api, "POST", &format!("invocation/{id}/response"), &answer);
        if event.contains("\"leave\"") {
            return;
        }
    }
}

fn call(api: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(api).expect("the Runtime API");
    let request = format!(
        "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        std::process::exit(9);
    };
    (head.to_owned(), body.to_owned())
}
