//! A plain HTTP/1.1 client that shows what really came over the socket.

use super::process::PATIENCE;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

pub(super) struct Answer {
    pub(super) status: String,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Client, Box<dyn Error>> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client::from(stream))
    }

    pub(super) fn from(stream: TcpStream) -> Client {
        Client { stream: BufReader::new(stream) }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    /// Requests a path and reads the answer, leaving the connection open.
    pub(super) fn get(&mut self, path: &str) -> Result<Answer, Box<dyn Error>> {
        self.send(request("GET", path).as_bytes())?;
        self.answer(true)
    }

    /// Requests the header of a path.
    pub(super) fn head(&mut self, path: &str) -> Result<Answer, Box<dyn Error>> {
        self.send(request("HEAD", path).as_bytes())?;
        self.answer(false)
    }

    /// Reads one answer, as long as its header says.
    pub(super) fn answer(&mut self, with_body: bool) -> Result<Answer, Box<dyn Error>> {
        let status = self.line()?;
        let (mut length, mut in_chunks) = (0, false);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => in_chunks = true,
                _ => {}
            }
        }
        let body = match with_body {
            true if in_chunks => self.chunks()?,
            true => self.bytes(length)?,
            false => Vec::new(),
        };
        Ok(Answer { status, body })
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// A body as opentracker of Debian 13 sends it: pieces, each behind its length; the last is empty.
    fn chunks(&mut self) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line()?, 16)?;
            body.extend(self.bytes(length)?);
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err("the server hung up before it answered".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Reads a part of what comes and keeps the connection.
    pub(super) fn read_some(&mut self, bytes: usize) -> Result<(), Box<dyn Error>> {
        Ok(self.stream.read_exact(&mut vec![0; bytes])?)
    }

    /// Whether the server hangs up without another byte.
    pub(super) fn at_end(&mut self) -> Result<bool, Box<dyn Error>> {
        Ok(self.stream.fill_buf()?.is_empty())
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

pub(super) fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// One request on a connection of its own.
pub(super) fn fetch(address: SocketAddr, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let answer = Client::connect(address)?.get(path)?;
    if answer.status.contains(" 200 ") { Ok(answer.body) } else { Err(answer.status.into()) }
}
