// Swagger UI around this service's own description; no address elsewhere is asked.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
});
