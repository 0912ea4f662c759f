//! Arrow Flight SQL, on the port of HTTP and through the same door: whole columns, for programs that move a lot of rows.
//!
//! A ticket is the statement itself, so that nothing is kept between a client's asking what there is and its
//! fetching it; only prepared statements are, and not for long.

mod lists;
mod plain;
mod prepared;
mod status;

use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, Command, CommandGetCatalogs,
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, CommandPreparedStatementQuery, CommandPreparedStatementUpdate,
    CommandStatementIngest, CommandStatementQuery, CommandStatementUpdate,
    DoPutPreparedStatementResult, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse,
    IpcMessage, SchemaAsIpc, Ticket,
};
use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::Response as HttpResponse;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use pipeline::query::Guarded;
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use crate::caller::{Surface, Visitor};
use crate::http::login;
use crate::server::Server;
use crate::sql_door::{Answer, Described, Statement, numbered};
use prepared::PreparedStatements;

/// Where tonic expects the service.
const PATH: &str = "/arrow.flight.protocol.FlightService/{method}";

/// What every update is told.
const READ_ONLY: &str =
    "lawpulse only reads; events come in by `lawpulse land` or POST /api/v1/events";

type FlightStream = <Flight as FlightService>::DoGetStream;
type Answered = Result<Response<FlightStream>, Status>;
type Informed = Result<Response<FlightInfo>, Status>;

/// The service, for callers that it recognises itself: its clients read gRPC's errors and no others.
pub(super) fn routes(server: Arc<Server>) -> Router<Arc<Server>> {
    let service = Flight { server: Arc::clone(&server), prepared: Arc::default() };
    Router::new()
        .route_service(PATH, FlightServiceServer::new(service))
        .layer(middleware::from_fn_with_state(server, recognise))
}

/// Lets calls pass of which it is known who makes them.
async fn recognise(
    State(server): State<Arc<Server>>,
    request: HttpRequest,
    next: Next,
) -> HttpResponse {
    match login::recognised(&server, request, Surface::Flight).await {
        Ok(request) => next.run(request).await,
        Err(problem) => Status::from(problem).into_http(),
    }
}

/// The service.
#[derive(Debug, Clone)]
struct Flight {
    server: Arc<Server>,
    prepared: Arc<PreparedStatements>,
}

impl Flight {
    async fn describe(&self, visitor: &Visitor, statement: Statement) -> Result<Described, Status> {
        Ok(self.server.door().describe(visitor, self.server.view(), statement).await?)
    }

    async fn run(&self, visitor: &Visitor, statement: Statement) -> Answered {
        let answer = self.server.door().open(visitor, self.server.view(), statement).await?;
        Ok(Response::new(sent(answer)))
    }

    /// What the caller may see.
    async fn guarded<T>(&self, request: &Request<T>) -> Result<Guarded, Status> {
        let sight = self.server.door().sight();
        Ok(sight.guarded(&visitor(request)?.caller, &self.server.view()).await?)
    }
}

fn visitor<T>(request: &Request<T>) -> Result<&Visitor, Status> {
    let visitor = request.extensions().get::<Visitor>();
    visitor.ok_or_else(|| Status::unauthenticated("say who you are"))
}

/// Where the rows of a query or a list are to be fetched.
fn informed(
    command: &impl ProstMessageExt,
    schema: &Schema,
    descriptor: Request<FlightDescriptor>,
) -> Informed {
    let ticket = Ticket::new(command.as_any().encode_to_vec());
    let info = FlightInfo::new()
        .try_with_schema(&plain::schema(schema))
        .map_err(status::failed)?
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_descriptor(descriptor.into_inner());
    Ok(Response::new(info))
}

/// The rows of an answer as they come. A client that goes away ends the query.
fn sent(answer: Answer) -> FlightStream {
    let schema = plain::schema(&answer.schema);
    let batches = stream::unfold((Some(answer), Arc::clone(&schema)), |(answer, schema)| async {
        let mut answer = answer?;
        let next = answer.next().await?;
        let sent = next.map_err(|refused| FlightError::from(Status::from(refused)));
        let sent = sent.and_then(|batch| Ok(plain::batch(&batch, &schema)?));
        let more = sent.is_ok().then_some(answer);
        Some((sent, (more, schema)))
    });
    let encoded = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    encoded.map_err(Status::from).boxed()
}

/// The bytes of a schema as a message holds them.
fn message(schema: &Schema) -> Result<Vec<u8>, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) =
        SchemaAsIpc::new(&plain::schema(schema), &options).try_into().map_err(status::failed)?;
    Ok(bytes.to_vec())
}

/// The parameters `$1`, `$2` …; what the statement leaves open is taken for a text.
fn parameter_schema(parameters: &[Option<DataType>]) -> Schema {
    let field = |(place, data_type): (usize, &Option<DataType>)| {
        let data_type = data_type.clone().unwrap_or(DataType::Utf8);
        Field::new(format!("${place}"), data_type, true)
    };
    Schema::new((1..).zip(parameters).map(field).collect::<Vec<_>>())
}

fn text(handle: &[u8]) -> Result<&str, Status> {
    std::str::from_utf8(handle).map_err(|_| Status::invalid_argument("the ticket is none of ours"))
}

#[tonic::async_trait]
impl FlightSqlService for Flight {
    type FlightService = Self;

    /// Gives a client that shows a password a token for its further calls, as clients of Flight expect.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<
        Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>,
        Status,
    > {
        let caller = &visitor(&request)?.caller;
        let shown = request.metadata().get(header::AUTHORIZATION.as_str()).cloned();
        let is_password =
            shown.as_ref().and_then(|shown| shown.to_str().ok()).is_some_and(|shown| {
                shown.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "))
            });
        let session = self.server.accounts().filter(|_| is_password);
        let session = session.and_then(|accounts| accounts.session_token(&caller.name));
        let response = HandshakeResponse::default();
        let mut response: Response<Pin<Box<dyn Stream<Item = _> + Send>>> =
            Response::new(Box::pin(stream::iter([Ok(response)])));
        let token = match session {
            Some(token) => Some(format!("Bearer {token}").parse().map_err(status::failed)?),
            // A token serves as it is.
            None => shown.filter(|_| !is_password),
        };
        if let Some(token) = token {
            response.metadata_mut().insert(header::AUTHORIZATION.as_str(), token);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let sql = numbered(&query.query);
        let described = self.describe(visitor(&request)?, Statement::new(sql.as_ref())).await?;
        let ticket = TicketStatementQuery { statement_handle: sql.into_owned().into() };
        informed(&ticket, &described.schema, request)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Answered {
        let sql = text(&ticket.statement_handle)?;
        self.run(visitor(&request)?, Statement::new(sql)).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let sql = numbered(&query.query).into_owned();
        let visitor = visitor(&request)?;
        let described = self.describe(visitor, Statement::new(sql.as_str())).await?;
        let handle = self.prepared.keep(&visitor.caller.name, sql)?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.into(),
            dataset_schema: message(&described.schema)?.into(),
            parameter_schema: message(&parameter_schema(&described.parameters))?.into(),
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let handle = text(&query.prepared_statement_handle)?;
        self.prepared.forget(&visitor(&request)?.caller.name, handle);
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let name = visitor(&request)?.caller.name.clone();
        let values = prepared::read_values(request.into_inner()).await?;
        self.prepared.bind(&name, text(&query.prepared_statement_handle)?, values)?;
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(query.prepared_statement_handle),
        })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let visitor = visitor(&request)?;
        let handle = text(&query.prepared_statement_handle)?;
        let statement = self.prepared.statement(&visitor.caller.name, handle)?;
        let described = self.describe(visitor, statement).await?;
        informed(&query, &described.schema, request)
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Answered {
        let visitor = visitor(&request)?;
        let handle = text(&query.prepared_statement_handle)?;
        let statement = self.prepared.statement(&visitor.caller.name, handle)?;
        self.run(visitor, statement).await
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::catalogs(query)?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::catalogs(query)?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        informed(&query, &query.clone().into_builder().schema(), request)
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Answered {
        let list = lists::schemas(query, &self.guarded(&request).await?)?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        informed(&query, &query.clone().into_builder().schema(), request)
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> Answered {
        let list = lists::tables(query, &self.guarded(&request).await?)?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::table_types(query)?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::table_types(query)?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::sql_info(query.clone())?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::sql_info(query)?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::types(query)?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::types(query)?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::primary_keys()?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_primary_keys(
        &self,
        _query: CommandGetPrimaryKeys,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::primary_keys()?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_exported_keys(
        &self,
        query: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::foreign_keys()?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_exported_keys(
        &self,
        _query: CommandGetExportedKeys,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::foreign_keys()?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_imported_keys(
        &self,
        query: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::foreign_keys()?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_imported_keys(
        &self,
        _query: CommandGetImportedKeys,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::foreign_keys()?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Informed {
        let list = lists::foreign_keys()?;
        informed(&query, &list.schema(), request)
    }

    async fn do_get_cross_reference(
        &self,
        _query: CommandGetCrossReference,
        _request: Request<Ticket>,
    ) -> Answered {
        let list = lists::foreign_keys()?;
        Ok(Response::new(lists::sent(list)))
    }

    async fn do_put_statement_update(
        &self,
        _query: CommandStatementUpdate,
        _request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(Status::permission_denied(READ_ONLY))
    }

    async fn do_put_prepared_statement_update(
        &self,
        _query: CommandPreparedStatementUpdate,
        _request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(Status::permission_denied(READ_ONLY))
    }

    async fn do_put_statement_ingest(
        &self,
        _query: CommandStatementIngest,
        _request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(Status::permission_denied(READ_ONLY))
    }

    async fn do_get_fallback(&self, _request: Request<Ticket>, message: Any) -> Answered {
        Err(Status::unimplemented(format!("lawpulse does not know {}", message.type_url)))
    }

    async fn get_flight_info_fallback(
        &self,
        command: Command,
        _request: Request<FlightDescriptor>,
    ) -> Informed {
        let message = command.into_any();
        Err(Status::unimplemented(format!("lawpulse does not know {}", message.type_url)))
    }

    /// What the server can is said whole in one place.
    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}
