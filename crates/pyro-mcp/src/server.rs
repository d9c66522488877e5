//! The *server* of a client: it answers the protocol's requests, using the table of operations and
//! the running calls.

use std::sync::Arc;
use std::time::Duration;

use pyro_engine::operation::Entry;
use pyro_engine::operations::HINTS;
use pyro_engine::{Error, ErrorKind, Listener, Permissions, VERSION};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
    CompleteRequestParams, CompleteResult, ContentBlock, CustomRequest, CustomResult,
    DiscoverResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse, GetTaskParams,
    GetTaskResult, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Reference,
    ServerCapabilities, ServerConfig, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::TaskManager;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::calls::Calls;
use crate::completion::{self, Source};
use crate::consent::{Consent, consent};
use crate::log::LOGS;
use crate::output::Part;
use crate::progress::CallProgress;
use crate::tool::WARNINGS;
use crate::workspace_task::may_outlive;
use crate::{Profile, Prompt, Resources, Tool, guidance, output, output_limit, roots};

const NAME: &str = "pyro_mcp";
/// The key in a result's metadata for an error's parts, for programs.
const ERROR_KEY: &str = "pyro/error";
/// How long a client may cache what only another version of this program would change.
const UNCHANGED_MS: u64 = 60 * 60 * 1000;
/// Less than the shortest limit of hosts on a call.
const TASK_AFTER: Duration = Duration::from_secs(10);

/// The tools, resources and prompts of a server, and its limits.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its tools, in the order in which clients show them.
    pub tools: Vec<Tool>,
    /// The resources that clients can read.
    pub resources: Vec<Resources>,
    /// The prompts that a person can select.
    pub prompts: Vec<Prompt>,
    /// How long a call may take before it becomes a task, for clients that support tasks.
    pub task_after: Duration,
    /// What clients may use of the host.
    pub permissions: Permissions,
    /// Whether a client may also read files of its own roots.
    pub client_roots: bool,
}

impl Offer {
    /// Returns the offer of a profile, with these permissions.
    pub fn new(profile: Profile, permissions: Permissions) -> Self {
        let operations = profile.operations();
        let tool = |operation| Tool::of(profile, operation, permissions.host_compat);
        Self {
            prompts: guidance::prompts(&operations),
            tools: operations.iter().copied().map(tool).collect(),
            resources: vec![LOGS],
            task_after: TASK_AFTER,
            permissions,
            client_roots: false,
        }
    }
}

/// The handler of one client's requests. Clones share the offer and the calls, for another client.
#[derive(Clone)]
pub(crate) struct Server {
    calls: Arc<Calls>,
    offer: Arc<Offer>,
    instructions: Arc<str>,
    pub(crate) tasks: TaskManager,
    /// Cancelled when a client's input has ended, after which it could not ask for a task's result.
    last_word: CancellationToken,
}

impl Server {
    pub(crate) fn new(calls: Arc<Calls>, mut offer: Offer) -> Self {
        let operations: Vec<_> = offer.tools.iter().map(|tool| tool.operation).collect();
        let has = |name| operations.iter().any(|operation| operation.name == name);
        offer.resources.retain(|resources| has(resources.operation));
        Self {
            calls,
            instructions: guidance::instructions(&operations).into(),
            offer: Arc::new(offer),
            tasks: TaskManager::new(),
            last_word: CancellationToken::new(),
        }
    }

    /// The same, for a client whose input ends when this is cancelled.
    pub(crate) fn until(self, last_word: CancellationToken) -> Self {
        Self { last_word, ..self }
    }

    /// Waits until a call should become a task.
    async fn takes_long(&self) {
        tokio::time::sleep(self.offer.task_after).await;
        if self.last_word.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Tool> {
        let mut tools = self.offer.tools.iter();
        tools.find(|tool| tool.operation.name == name)
    }

    /// Runs an operation to answer a request that is not a tool call.
    pub(crate) async fn ask(
        &self,
        operation: &'static Entry,
        request: Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<Value, Error>, ErrorData> {
        let permissions = self.offer.permissions.clone();
        let listener = Listener::default();
        let mut call = self.calls.call(operation, request, listener, permissions);
        tokio::select! {
            result = call.result() => return result.ok_or_else(broken_off),
            () = context.ct.cancelled() => {}
        }
        call.cancel().await;
        Err(cancelled())
    }

    /// Returns the permissions of a call. If it names a file, a client with roots is asked for
    /// them, because they may change.
    async fn permissions(
        &self,
        operation: &Entry,
        arguments: &Value,
        context: &RequestContext<RoleServer>,
    ) -> Permissions {
        let mut permissions = self.offer.permissions.clone();
        let names_files = operation
            .host_paths
            .iter()
            .any(|name| arguments[name].is_string());
        let has_roots = context
            .client_capabilities()
            .is_some_and(|client| client.roots.is_some());
        if let Some(files) = &mut permissions.files
            && self.offer.client_roots
            && names_files
            && has_roots
        {
            files.add_roots(&roots::of(&context.peer).await);
        }
        permissions
    }
}

impl Server {
    /// Returns the result of a call that asked for this part of the output.
    pub(crate) fn outcome(
        &self,
        result: Option<Result<Value, Error>>,
        progress: &CallProgress,
        part: Part,
    ) -> Result<CallToolResult, ErrorData> {
        let warnings = progress.warnings();
        let mut outcome = match result.ok_or_else(broken_off)? {
            Ok(mut value) => {
                let links = output::bound(&mut value, part);
                // Some hosts show a model nothing but the structured result.
                if let Some(object) = value.as_object_mut().filter(|_| !warnings.is_empty()) {
                    object.insert(WARNINGS.to_owned(), json!(*warnings));
                }
                let mut outcome = CallToolResult::structured(value);
                let links = links.into_iter().map(ContentBlock::resource_link);
                outcome.content.extend(links);
                outcome
            }
            Err(error) => self.failure(&error),
        };
        let warnings = warnings.iter().map(|text| format!("warning: {text}"));
        outcome.content.extend(warnings.map(ContentBlock::text));
        Ok(outcome)
    }

    /// Returns an error as a result: as text for the model, and as data for programs.
    fn failure(&self, error: &Error) -> CallToolResult {
        let error = self.in_own_words(error);
        let structured = serde_json::to_value(&error).expect("an error is a plain struct");
        let meta = MetaObject([(ERROR_KEY.to_owned(), structured)].into_iter().collect());
        // Not as structured content: that must conform to the tool's schema, and some clients
        // validate it before they check whether it is an error.
        CallToolResult::error(vec![ContentBlock::text(text(&error))]).with_meta(Some(meta))
    }

    /// Returns the full text of an error.
    pub(crate) fn text(&self, error: &Error) -> String {
        text(&self.in_own_words(error))
    }

    /// Rewrites an error's hint for tools and properties instead of commands and options.
    fn in_own_words(&self, error: &Error) -> Error {
        let known = |name: &'static str| self.find(name).map(|_| name.to_owned());
        let hint = error.remedy.as_deref();
        Error {
            remedy: hint.map(|hint| HINTS.for_operations(hint, known)),
            ..error.clone()
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tasks()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(NAME, VERSION).with_title("pyro"))
            .with_instructions(&*self.instructions)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(UNCHANGED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.offer.tools.iter();
        let tools = tools.map(|tool| tool.definition.clone()).collect();
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(UNCHANGED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        self.find(name).map(|tool| tool.definition.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(Tool {
            operation,
            without,
            definition,
        }) = self.find(&request.name)
        else {
            let message = format!("unknown tool '{}'", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let has_tasks = context
            .client_capabilities()
            .is_some_and(|client| client.supports_tasks());
        let progress = CallProgress::new(operation.name);
        let mut arguments = Value::Object(request.arguments.unwrap_or_default());
        let limit = output_limit::take(&definition.input_schema, &mut arguments);
        let fitting =
            limit.and_then(|limit| Ok((limit, operation.fit_without(without, arguments)?)));
        let (limit, arguments) = match fitting {
            Ok(fitting) => fitting,
            Err(error) => return Ok(self.failure(&error).into()),
        };
        let part = Part {
            offset: arguments["offset"].as_u64().unwrap_or(0),
            limit,
        };
        let permissions = self.permissions(operation, &arguments, &context).await;
        if permissions.host_compat {
            let responses = request.input_responses.as_ref();
            match consent(operation.name, &arguments, responses, &context).await {
                Consent::Given => {}
                Consent::Refused => return Ok(self.failure(&Error::host_declined()).into()),
                Consent::Wanted(question) => return Ok((*question).into()),
            }
        }
        let may_outlive = may_outlive(operation, &arguments);
        let mut call = self
            .calls
            .call(operation, arguments, progress.listener(), permissions);
        tokio::select! {
            result = call.result() => return Ok(self.outcome(result, &progress, part)?.into()),
            () = context.ct.cancelled() => {}
            () = self.takes_long(), if has_tasks => {
                return self.go_on(call, may_outlive, progress, part, &context).await;
            }
            never = progress.notify(&context.peer, context.meta.get_progress_token()) => match never {},
        }
        call.cancel().await;
        Err(cancelled())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let message = format!("there is no method '{}'", request.method);
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None))
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = self.offer.prompts.iter();
        let prompts = prompts.map(|prompt| prompt.definition.clone()).collect();
        Ok(ListPromptsResult::with_all_items(prompts)
            .with_ttl_ms(UNCHANGED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let mut prompts = self.offer.prompts.iter();
        let Some(prompt) = prompts.find(|prompt| prompt.definition.name == request.name) else {
            let message = format!("there is no prompt '{}'", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        Ok(prompt.get(request.arguments)?.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let Offer {
            resources, prompts, ..
        } = &*self.offer;
        let argument = &request.argument;
        let known = match &request.r#ref {
            Reference::Prompt(one) => prompts
                .iter()
                .any(|prompt| prompt.definition.name == one.name && prompt.takes(&argument.name)),
            Reference::Resource(one) => resources
                .iter()
                .any(|resources| (resources.template)().uri_template == one.uri),
            _ => false,
        };
        if !known {
            let message = format!("nothing of that name has an argument '{}'", argument.name);
            return Err(ErrorData::invalid_params(message, None));
        }
        let completion = match Source::of(&argument.name) {
            Source::Fixed(values) => completion::matching(values, &argument.value),
            Source::Listed(operation, place) => {
                let answer = self.ask(operation, json!({}), &context).await?;
                let answer =
                    answer.map_err(|error| ErrorData::internal_error(self.text(&error), None))?;
                completion::matching(&completion::values(&answer, place), &argument.value)
            }
        };
        Ok(CompleteResult::new(completion))
    }

    /// Lists none: there may be thousands, and results link to the relevant ones.
    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(Vec::new())
            .with_ttl_ms(UNCHANGED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let resources = self.offer.resources.iter();
        let templates = resources.map(|resources| (resources.template)()).collect();
        Ok(ListResourceTemplatesResult::with_all_items(templates)
            .with_ttl_ms(UNCHANGED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let data = json!({"uri": request.uri});
        let found = self.offer.resources.iter().find_map(|resources| {
            let readable = (resources.at)(&request.uri)?;
            Some((self.find(resources.operation)?.operation, readable))
        });
        let Some((operation, readable)) = found else {
            let message = format!("there is no resource '{}'", request.uri);
            return Err(ErrorData::resource_not_found(message, Some(data)));
        };
        let answer = self.ask(operation, readable.request(), &context).await?;
        let answer = answer.map_err(|error| match error.kind {
            ErrorKind::InvalidInput => {
                ErrorData::resource_not_found(self.text(&error), Some(data.clone()))
            }
            _ => ErrorData::internal_error(self.text(&error), Some(data.clone())),
        })?;
        let contents = readable.contents(&request.uri, &answer).await;
        let contents = contents.map_err(|error| {
            ErrorData::internal_error(format!("cannot read it: {error}"), Some(data))
        })?;
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let task = match self.of_workspace(&request.task_id) {
            Some(task) => self.state(&task, &context).await?,
            None => self.tasks.get_task(&request.task_id)?,
        };
        Ok(GetTaskResult::new(task))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if self.of_workspace(&request.task_id).is_some() {
            // It has asked nothing.
            return Ok(());
        }
        self.tasks
            .update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        match self.of_workspace(&request.task_id) {
            Some(task) => self.kill(&task, &context).await,
            None => self.tasks.cancel_task(&request.task_id),
        }
    }
}

/// Not read by anyone: cancelled requests get no answer.
fn cancelled() -> ErrorData {
    ErrorData::internal_error("the call was cancelled", None)
}

/// The operation panicked, which a model cannot remedy.
fn broken_off() -> ErrorData {
    let message = "the operation broke off; report this with what the server wrote to standard \
                   error";
    ErrorData::internal_error(message, None)
}

/// Returns the full text of an error.
fn text(error: &Error) -> String {
    let mut lines = vec![error.message.clone()];
    for (word, part) in [("caused by", &error.cause), ("hint", &error.remedy)] {
        lines.extend(part.iter().map(|part| format!("{word}: {part}")));
    }
    let retry = if error.retry_safe {
        "yes, no command was started"
    } else {
        "unknown, a command may have run"
    };
    lines.push(format!("code: {} (safe to retry: {retry})", error.code));
    lines.join("\n")
}
