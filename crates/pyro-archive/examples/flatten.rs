//! Flattens the layers of an image: `flatten IMAGE LAYER…`, the lowest layer first.

use std::error::Error;
use std::fs::File;

use pyro_archive::{LayerImage, LayerLimits, Wanted};

#[expect(clippy::print_stdout, reason = "it is its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let image = arguments.next().ok_or("usage: flatten IMAGE LAYER…")?;
    let file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(image)?;
    let mut image = LayerImage::create(file, LayerLimits::default())?;
    for path in arguments {
        let name = path.to_string_lossy().into_owned();
        let report = image.add_layer(&name, File::open(path)?)?;
        println!("{name}: {report:?}");
    }
    let image = image.finish(&Wanted::default())?;
    println!(
        "{} inodes, {} bytes, {} on the disk",
        image.inodes(),
        image.size()?,
        image.disk_bytes()?
    );
    Ok(())
}
