// Swagger UI over the server's own document; nothing is asked of anybody else.
window.ui = SwaggerUIBundle({
  dom_id: "#api",
  url: "/api/v1/openapi.json",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
