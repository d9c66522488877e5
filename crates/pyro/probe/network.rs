//! Sockets, of which a VMM needs none but those that it was given.

use std::ffi::CString;

use crate::{Attempts, Outcome, outcome};

fn socket(family: i32, kind: i32, protocol: i32) -> i32 {
    // SAFETY: a call that takes numbers.
    unsafe { libc::socket(family, kind, protocol) }
}

fn to_loopback(kind: i32, port: i64) -> Outcome {
    let socket = socket(libc::AF_INET, kind, 0);
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: u16::try_from(port).unwrap_or(9).to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    };
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the address is valid for the call, and as long as is said.
    outcome(unsafe { libc::connect(socket, (&raw const address).cast(), length) }.into())
}

fn to_unix(name: &CString, is_abstract: bool) -> Outcome {
    let socket = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
    // SAFETY: a structure of numbers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let start = usize::from(is_abstract);
    for (place, byte) in address.sun_path[start..].iter_mut().zip(name.as_bytes()) {
        *place = byte.cast_signed();
    }
    let length = size_of::<libc::sa_family_t>() + start + name.as_bytes().len();
    let length = if is_abstract {
        length
    } else {
        size_of::<libc::sockaddr_un>()
    };
    // SAFETY: the address is valid for the call, and as long as is said.
    outcome(
        unsafe {
            libc::connect(
                socket,
                (&raw const address).cast(),
                length as libc::socklen_t,
            )
        }
        .into(),
    )
}

pub(crate) fn all(attempts: &mut Attempts<'_>) {
    attempts.attempt("connect to a port of 127.0.0.1", |config| {
        to_loopback(libc::SOCK_STREAM, config.number("port"))
    });
    attempts.attempt("speak to a port of 127.0.0.1 (UDP)", |config| {
        to_loopback(libc::SOCK_DGRAM, config.number("port"))
    });
    attempts.attempt("listen on a port", |_| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        // SAFETY: a call that takes numbers.
        outcome(unsafe { libc::listen(socket, 1) }.into())
    });
    attempts.attempt("listen on a port that was chosen", |_| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        // One that nobody else has just now.
        let port = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap_or(0);
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
            },
            sin_zero: [0; 8],
        };
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        // SAFETY: the address is valid for the call, and as long as is said.
        outcome(unsafe { libc::bind(socket, (&raw const address).cast(), length) }.into())
    });
    attempts.attempt("connect to a socket of the user's, an agent's", |config| {
        to_unix(&config.path("unix_socket"), false)
    });
    attempts.attempt("connect to another workspace's supervisor", |config| {
        to_unix(&config.path("supervisor"), false)
    });
    attempts.attempt("connect to an abstract socket", |config| {
        to_unix(&config.path("abstract"), true)
    });
    for (name, family, kind) in [
        ("netlink", libc::AF_NETLINK, libc::SOCK_RAW),
        ("packet", libc::AF_PACKET, libc::SOCK_RAW),
        ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM),
        ("IPv6", libc::AF_INET6, libc::SOCK_STREAM),
    ] {
        attempts.attempt(&format!("make a socket: {name}"), |_| {
            outcome(socket(family, kind, 0).into())
        });
    }
    attempts.attempt("make a pair of sockets", |_| {
        let mut pair = [0; 2];
        // SAFETY: the array takes two descriptors.
        outcome(
            unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) }
                .into(),
        )
    });
}
