//! Makes an image by hand, and says how long it took: `image SOURCE OUTPUT`.

#![expect(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::fs::File;
use std::time::Instant;

use pyro_archive::{Source, write_image};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [source, output] = &arguments[..] else {
        return Err("usage: image SOURCE OUTPUT".into());
    };
    let started = Instant::now();
    let source = Source::open("SOURCE", source.as_ref())?;
    let counts = write_image(&source, File::create(output)?, "workspace", &|_| ())?;
    println!("{counts:?} in {:?}", started.elapsed());
    Ok(())
}
