//! One connection: requests one after the other, each answered as its rule says.

use std::io::{BufReader, ErrorKind, Read, Result, Write};
use std::sync::Arc;
use std::time::Duration;

use super::Action;
use super::Answer;
use super::body::Body;
use super::content::Content;
use super::guard;
use super::request::Request;
use super::routes;
use super::server::Server;
use super::uploads;
use super::wire::Wire;

/// What Go's servers say to http where https is spoken.
const IN_CLEAR: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// What becomes of the connection.
enum After {
    Next,
    Close,
    Reset,
}

/// Talks until one side ends it.
pub(super) fn hold(server: &Arc<Server>, wire: Wire) {
    if wire.is_misunderstood() {
        wire.write_in_clear(IN_CLEAR);
        return wire.close();
    }
    let mut reader = BufReader::new(wire);
    while let Some(request) = next(&mut reader) {
        let mut exchange = Exchange::new(server, &request, &mut reader);
        let action = exchange.action();
        let after = exchange.act(action);
        exchange.ended();
        match after {
            Ok(After::Next) => {}
            Ok(After::Reset) => return reader.into_inner().reset(),
            Ok(After::Close) | Err(_) => break,
        }
    }
    reader.into_inner().close();
}

/// The next request; what is none is told so, as Go's servers do.
fn next(reader: &mut BufReader<Wire>) -> Option<Request> {
    Request::read(reader).unwrap_or_else(|error| {
        if error.kind() == ErrorKind::InvalidData {
            let _ = reader.get_mut().write_all(
                b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request",
            );
        }
        None
    })
}

/// One request on its way to an answer.
struct Exchange<'a> {
    server: &'a Server,
    request: &'a Request,
    reader: &'a mut BufReader<Wire>,
    number: usize,
    body: Body,
    is_upload: bool,
}

impl<'a> Exchange<'a> {
    fn new(
        server: &'a Server,
        request: &'a Request,
        reader: &'a mut BufReader<Wire>,
    ) -> Exchange<'a> {
        let body = Body::of(request);
        let is_upload = request.path.contains("/blobs/uploads/") && !body.has_ended();
        if is_upload {
            server.log.upload_began();
        }
        let number = server.log.arrived(request);
        Exchange {
            server,
            request,
            reader,
            number,
            body,
            is_upload,
        }
    }

    /// Said before the answer is written: with it the client may begin the next upload.
    fn ended(&mut self) {
        if std::mem::take(&mut self.is_upload) {
            self.server.log.upload_ended();
        }
    }

    fn action(&self) -> Action {
        let chosen = self.server.rules.choose(self.request);
        if chosen.is_none() && self.server.options.scripted {
            self.server.log.unexpected(self.request);
            return Action::answer(400, &[], "no rule of the test answers this request");
        }
        chosen.unwrap_or(Action::Pass)
    }

    fn act(&mut self, action: Action) -> Result<After> {
        match action {
            Action::Delay(milliseconds, then) => {
                self.server.pause(Duration::from_millis(milliseconds));
                match self.server.has_stopped() {
                    true => Ok(After::Close),
                    false => self.act(*then),
                }
            }
            Action::ResetAfterRequestBytes(most) => {
                let body = self.read(most)?;
                uploads::broken_off(self.server, self.request, body);
                Ok(After::Reset)
            }
            Action::CloseWithoutAnswer => self.read(u64::MAX).map(|_| After::Close),
            Action::Raw(bytes) => {
                self.read(u64::MAX)?;
                self.write(&bytes)?;
                Ok(After::Close)
            }
            Action::AnswerEarly {
                status,
                headers,
                body,
            } => {
                let after = self.send(&Answer::by_hand(status, &headers, &body))?;
                self.read(u64::MAX).map(|_| after)
            }
            Action::Endless { status, headers } => self.send_endless(status, &headers),
            action => self.answer(&action),
        }
    }

    /// The actions that obey the request, or at least read and answer it.
    fn answer(&mut self, action: &Action) -> Result<After> {
        if let Some(refusal) = self.refusal_before_the_body(action) {
            return self.send(&refusal);
        }
        let body = self.read(u64::MAX)?;
        let answer = self.answer_of(action, body);
        self.server.log.answered(self.number, answer.status);
        match action {
            Action::PassThenClose => Ok(After::Close),
            Action::TruncateBody(most) => self.send_part(&answer, *most).map(|()| After::Close),
            Action::ResetAfterResponseBytes(most) => {
                self.send_part(&answer, *most).map(|()| After::Reset)
            }
            Action::StallBody(most) => {
                self.send_part(&answer, *most)?;
                self.wait_for_the_end()
            }
            _ => self.send(&answer),
        }
    }

    /// Who asks before sending a body is told at once, and sends none.
    fn refusal_before_the_body(&self, action: &Action) -> Option<Answer> {
        let is_by_hand = matches!(action, Action::Status(_) | Action::Answer { .. });
        if is_by_hand || !self.waits() {
            return None;
        }
        let refusal = guard::refusal(self.server, self.request)?;
        Some(refusal.header("Connection", "close"))
    }

    fn waits(&self) -> bool {
        self.request.says("expect", "100-continue") && !self.body.has_ended()
    }

    fn answer_of(&self, action: &Action, body: Content) -> Answer {
        match action {
            Action::Status(status) => Answer::status(*status),
            Action::Answer {
                status,
                headers,
                body,
            } => Answer::by_hand(*status, headers, body),
            Action::PassWith { headers } => {
                let mut answer = routes::answer(self.server, self.request, body);
                headers.iter().for_each(|(name, _)| answer.remove(name));
                answer.headers.extend_from_slice(headers);
                answer
            }
            Action::Change(change) => {
                let mut answer = routes::answer(self.server, self.request, body);
                change.0(&mut answer);
                answer
            }
            _ => routes::answer(self.server, self.request, body),
        }
    }

    /// Reads at most so many bytes of the body; what came before it broke off is kept as far as an upload keeps it.
    fn read(&mut self, most: u64) -> Result<Content> {
        if self.waits() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut content = Content::default();
        let read = self.body.read(self.reader, &mut content, most);
        self.server.log.brought(self.number, &content);
        if read.is_err() {
            uploads::broken_off(self.server, self.request, content.clone());
        }
        read.map(|()| content)
    }

    fn send(&mut self, answer: &Answer) -> Result<After> {
        self.server.log.answered(self.number, answer.status);
        self.send_part(answer, u64::MAX)?;
        let closes = answer
            .get("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(match self.request.is_last || closes {
            true => After::Close,
            false => After::Next,
        })
    }

    /// The head and the first bytes of the body.
    fn send_part(&mut self, answer: &Answer, most: u64) -> Result<()> {
        self.ended();
        self.write(&answer.head())?;
        if self.request.method == "HEAD" {
            return Ok(());
        }
        let (start, length) = answer.extent();
        let wire = self.reader.get_mut();
        answer
            .body
            .each(start, length.min(most), |piece| wire.write_all(piece))?;
        wire.flush()
    }

    fn send_endless(&mut self, status: u16, headers: &[(String, String)]) -> Result<After> {
        self.read(u64::MAX)?;
        let head = Answer::by_hand(status, headers, b"").header("Transfer-Encoding", "chunked");
        self.send(&head)?;
        let mut chunk = b"10000\r\n".to_vec();
        chunk.resize(chunk.len() + 0x10000, b' ');
        chunk.extend_from_slice(b"\r\n");
        while !self.server.has_stopped() {
            self.write(&chunk)?;
        }
        Ok(After::Close)
    }

    /// Nothing happens until the client, or the server, ends the connection.
    fn wait_for_the_end(&mut self) -> Result<After> {
        std::io::copy(&mut self.reader.by_ref(), &mut std::io::sink())?;
        Ok(After::Close)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let wire = self.reader.get_mut();
        wire.write_all(bytes)?;
        wire.flush()
    }
}
