//! A *build* makes an environment by the instructions of a Dockerfile. Each instruction that changes
//! files runs in a virtual machine; the disk that it leaves is kept, and found again by the digest of
//! all that made it: the base, the instruction, its variables, and the files that it copies.
//!
//! What it does not do is in `docs/design/0045-builds.md`.

mod builder;
mod cache;
mod context;
mod copying;
mod dockerfile;
mod finished;
mod lines;
mod machine;
mod order;
mod recipe;
mod sources;
mod stage;
mod words;

use std::sync::Arc;

use pyro_environment::Environments;

use builder::Builder;
pub(crate) use cache::StepCache;
use context::Tree;
use dockerfile::{Dockerfile, Instruction, Place, find_stage, refused};
pub(crate) use order::{Instructions, Order};
pub(crate) use recipe::Recipe;
use stage::Args;

use crate::{Engine, Error, Listener};

/// What was built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Built {
    pub(crate) steps: usize,
    /// How many of the steps that change files were found in the cache.
    pub(crate) cached: usize,
    /// How many of them ran.
    pub(crate) run: usize,
}

/// Builds an environment and gives it its name.
pub(crate) async fn build(
    engine: &Engine,
    order: Order,
    listener: &Listener,
) -> Result<Built, Error> {
    let mut dockerfile = match &order.instructions {
        Instructions::Dockerfile(text) => dockerfile::parse(text)?,
        Instructions::Recipe(recipe) => recipe.dockerfile(),
    };
    let context = order.context.clone().map(Tree::context).transpose()?;
    let context = context.map(Arc::new);
    let mut args = Args {
        given: order.args.clone(),
        ..Args::default()
    };
    let place = dockerfile
        .stages
        .first()
        .map_or(Place::Line(1), |stage| stage.place);
    args.add_global(&dockerfile.args)
        .map_err(|why| refused(place, &why))?;
    let last = target(&dockerfile, order.target.as_deref())?;
    dockerfile.stages.truncate(last + 1);
    let needed = needed(&dockerfile, &args)?;
    let steps = dockerfile.stages.iter().enumerate();
    let total = steps
        .filter(|(number, _)| needed[*number])
        .map(|(_, stage)| stage.steps.len())
        .sum();
    let mut builder = Builder {
        engine,
        order: &order,
        listener,
        context,
        args,
        cache: StepCache::new(engine.environments.cache_dir()),
        finished: Vec::new(),
        names: dockerfile
            .stages
            .iter()
            .map(|stage| stage.name.clone())
            .collect(),
        number: 0,
        total,
        cached: 0,
        run: 0,
    };
    for (number, stage) in dockerfile.stages.iter().enumerate() {
        let finished = if needed[number] {
            Some(builder.stage(stage).await?)
        } else {
            None
        };
        builder.finished.push(finished);
    }
    let built = Built {
        steps: total,
        cached: builder.cached,
        run: builder.run,
    };
    match builder.finished.pop().flatten() {
        Some(last) => builder.save(&last).await.map(|()| built),
        None => Err(Error::invalid("the Dockerfile has no stage")),
    }
}

/// Finds the stage to end with.
fn target(dockerfile: &Dockerfile, wanted: Option<&str>) -> Result<usize, Error> {
    let stages = &dockerfile.stages;
    let Some(wanted) = wanted else {
        return Ok(stages.len().saturating_sub(1));
    };
    let names: Vec<Option<String>> = stages.iter().map(|stage| stage.name.clone()).collect();
    find_stage(&names, wanted).ok_or_else(|| {
        let names: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
        let wanted = pyro_text::line(wanted);
        let error = Error::invalid(format!("the Dockerfile has no stage {wanted}"));
        match names.as_slice() {
            [] => error.remedy("build the whole Dockerfile: none of its stages has a name"),
            names => error.remedy(format!("name one of its stages: {}", names.join(", "))),
        }
    })
}

/// Which stages the last one needs, itself included.
fn needed(dockerfile: &Dockerfile, args: &Args) -> Result<Vec<bool>, Error> {
    let stages = &dockerfile.stages;
    let names: Vec<_> = stages.iter().map(|stage| stage.name.clone()).collect();
    let mut needed = vec![false; stages.len()];
    let Some(last) = needed.last_mut() else {
        return Err(Error::invalid("the Dockerfile has no FROM"));
    };
    *last = true;
    for number in (0..stages.len()).rev() {
        if !needed[number] {
            continue;
        }
        let stage = &stages[number];
        let base = args.base(&stage.base);
        let base = base.map_err(|why| refused(stage.place, &why))?;
        let copied = stage
            .steps
            .iter()
            .filter_map(|step| match &step.instruction {
                Instruction::Copy(copy) => copy.from.clone(),
                _ => None,
            });
        for name in std::iter::once(base).chain(copied) {
            if let Some(earlier) = find_stage(&names[..number], &name) {
                needed[earlier] = true;
            }
        }
    }
    Ok(needed)
}

/// Checks the name of a build.
pub(crate) fn name(name: &str) -> Result<String, Error> {
    Ok(Environments::name_to_save(name)?)
}
