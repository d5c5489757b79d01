// See directives.hpp.
#include "ngx_module/glue/directives.hpp"

#include <new>

#include "ngx_module/core/parameter.hpp"
#include "ngx_module/core/sticky.hpp"
#include "ngx_module/glue/balance.hpp"
#include "ngx_module/glue/balancer.hpp"
#include "ngx_module/glue/gate.hpp"
#include "ngx_module/glue/maintenance.hpp"
#include "ngx_module/glue/ngx_compat.hpp"
#include "ngx_module/glue/probe_conf.hpp"
#include "ngx_module/glue/prober.hpp"
#include "ngx_module/glue/status_document.hpp"
#include "ngx_module/glue/status_handler.hpp"
#include "ngx_module/glue/sticky.hpp"
#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

namespace {

char* const kError = static_cast<char*>(NGX_CONF_ERROR);

template <typename... Args>
char* refuse(ngx_conf_t* cf, const char* format, Args... args) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, format, args...);
  return kError;
}

MainConf& main_conf(ngx_conf_t* cf) noexcept {
  return *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_bluegreen_module));
}

ngx_str_t* arguments(ngx_conf_t* cf) noexcept {
  return static_cast<ngx_str_t*>(cf->args->elts);
}

// Directives that name a file: once, absolute or below the prefix.
char* set_path(ngx_conf_t* cf, ngx_str_t& path) noexcept {
  if (path.data != nullptr) {
    return const_cast<char*>("is duplicate");
  }
  path = arguments(cf)[1];
  if (path.len == 0) {
    return refuse(cf, "\"%V\" needs the path of a file", &arguments(cf)[0]);
  }
  return ngx_conf_full_name(cf->cycle, &path, 0) == NGX_OK ? NGX_CONF_OK : kError;
}

App* find_or_add_app(ngx_conf_t* cf, MainConf& conf, const ngx_str_t& name) noexcept {
  for (ngx_uint_t i = 0; i < conf.apps.nelts; ++i) {
    if (conf.app_list()[i]->name == view(name)) {
      return conf.app_list()[i];
    }
  }
  void* const memory = ngx_pmemalign(cf->pool, sizeof(App), alignof(App));
  auto** const entry = static_cast<App**>(ngx_array_push(&conf.apps));
  if (memory == nullptr || entry == nullptr) {
    return nullptr;
  }
  *entry = new (memory) App();
  (*entry)->name = view(name);
  return *entry;
}

// "An upstream block needs a server": an entry without a name, which only
// ngx_http_bluegreen_init_upstream sees. It has an address that is never used, so that a balancer
// which took our place gets as far as our own message about it.
bool satisfy_server_check(ngx_conf_t* cf, ngx_http_upstream_srv_conf_t& uscf) noexcept {
  auto* const server = static_cast<ngx_http_upstream_server_t*>(ngx_array_push(uscf.servers));
  auto* const address = static_cast<ngx_addr_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_addr_t)));
  auto* const nowhere = static_cast<sockaddr_in*>(ngx_pcalloc(cf->pool, sizeof(sockaddr_in)));
  if (server == nullptr || address == nullptr || nowhere == nullptr) {
    return false;
  }
  nowhere->sin_family = AF_INET;
  address->sockaddr = reinterpret_cast<sockaddr*>(nowhere);
  address->socklen = sizeof(sockaddr_in);
  ngx_memzero(server, sizeof(*server));
  server->addrs = address;
  server->naddrs = 1;
  server->weight = 1;
  return true;
}

bool parse_weight(std::string_view text, std::uint32_t& weight) noexcept {
  return core::take_name(text, "weight") &&
         core::parse_count(text, shm::kMaxEndpointWeight, weight) && weight != 0;
}

}  // namespace

char* refuse_parameter(ngx_conf_t* cf, const ngx_str_t& found, const char* expected) noexcept {
  // NGINX cuts its messages at 1024 bytes: a long value must not cost what was expected.
  constexpr size_t kMostShown = 200;
  ngx_str_t shown = {found.len < kMostShown ? found.len : kMostShown, found.data};
  return refuse(cf, "invalid parameter \"%V%s\" in \"%V\": expected %s", &shown,
                shown.len < found.len ? "..." : "", &arguments(cf)[0], expected);
}

Upstream* upstream_of(ngx_conf_t* cf, SrvConf& srv) noexcept {
  if (srv.upstream == nullptr) {
    void* const memory = ngx_pmemalign(cf->pool, sizeof(Upstream), alignof(Upstream));
    if (memory == nullptr) {
      return nullptr;
    }
    srv.upstream = new (memory) Upstream();
    srv.upstream->conf = &main_conf(cf);
    srv.first = arguments(cf)[0];
    srv.file = cf->conf_file->file.name.data;
    srv.line = cf->conf_file->line;
  }
  return srv.upstream;
}

}  // namespace bluegreen::glue

using namespace bluegreen::glue;  // NOLINT: the callbacks below are this file's only users
namespace shm = bluegreen::shm;

extern "C" {

static char* ngx_http_bluegreen_control(ngx_conf_t* cf, ngx_command_t*, void*) {
  return set_path(cf, main_conf(cf).control_path);
}

static char* ngx_http_bluegreen_telemetry(ngx_conf_t* cf, ngx_command_t*, void*) {
  return set_path(cf, main_conf(cf).telemetry_path);
}

static char* ngx_http_bluegreen(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto& srv = *static_cast<SrvConf*>(data);
  ngx_str_t& name = arguments(cf)[1];
  auto* const uscf = static_cast<ngx_http_upstream_srv_conf_t*>(
      ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module));
  if (srv.name.len != 0) {
    return const_cast<char*>("is duplicate");
  }
  if (!shm::is_app_name(view(name))) {
    return refuse(cf,
                  "invalid application name \"%V\" in \"bluegreen\": expected 1 to 63 letters, "
                  "digits, \"-\", \"_\" or \".\", not beginning with \"-\" or \".\"",
                  &name);
  }
  if (uscf->peer.init_upstream != nullptr) {
    return refuse(cf, "\"bluegreen\" %s", balancer_before_us());
  }
#if (NGX_HTTP_UPSTREAM_ZONE)
  if (uscf->shm_zone != nullptr) {
    return refuse(cf, "\"zone\" cannot be used with \"bluegreen\" in upstream \"%V\"", &uscf->host);
  }
#endif
  Upstream* const upstream = upstream_of(cf, srv);
  MainConf& conf = main_conf(cf);
  if (upstream == nullptr || !satisfy_server_check(cf, *uscf)) {
    return kError;
  }
  upstream->app = find_or_add_app(cf, conf, name);
  auto** const entry = static_cast<Upstream**>(ngx_array_push(&conf.upstreams));
  if (upstream->app == nullptr || entry == nullptr) {
    return kError;
  }
  if (conf.apps.nelts > shm::kMaxApps) {
    return refuse(cf, "too many applications: \"%V\" would be number %ui, the limit is %ui", &name,
                  conf.apps.nelts, static_cast<ngx_uint_t>(shm::kMaxApps));
  }
  *entry = upstream;
  upstream->seed = bluegreen::core::sticky_seed(view(name));
  srv.name = name;
  uscf->flags = NGX_HTTP_UPSTREAM_CREATE;
  uscf->peer.init_upstream = ngx_http_bluegreen_init_upstream;
  return NGX_CONF_OK;
}

static char* ngx_http_bluegreen_server(ngx_conf_t* cf, ngx_command_t*, void* data) {
  const ngx_str_t* const args = arguments(cf);
  shm::Color color = shm::Color::kBlue;
  if (view(args[1]) == "green") {
    color = shm::Color::kGreen;
  } else if (view(args[1]) != "blue") {
    return refuse(cf,
                  "invalid color \"%V\" in \"bluegreen_server\": expected \"blue\" or \"green\"",
                  &args[1]);
  }
  shm::Endpoint endpoint;
  if (!shm::parse_endpoint(view(args[2]), endpoint)) {
    return refuse(cf,
                  "invalid address \"%V\" in \"bluegreen_server\": expected \"IPv4:PORT\", "
                  "\"[IPv6]:PORT\" or \"unix:PATH\"; host names are not resolved",
                  &args[2]);
  }
  if (cf->args->nelts == 4 && !parse_weight(view(args[3]), endpoint.weight)) {
    static_assert(shm::kMaxEndpointWeight == 65535);
    return refuse_parameter(cf, args[3], "\"weight=N\" with N from 1 to 65535");
  }
  Upstream* const upstream = upstream_of(cf, *static_cast<SrvConf*>(data));
  if (upstream == nullptr) {
    return kError;
  }
  shm::EndpointTable& table = upstream->defaults[shm::index_of(color)];
  if (table.count == shm::kMaxEndpoints) {
    return refuse(cf, "too many \"bluegreen_server %V\" lines: the limit is %ui", &args[1],
                  static_cast<ngx_uint_t>(shm::kMaxEndpoints));
  }
  table.endpoints[table.count++] = endpoint;
  return NGX_CONF_OK;
}

static char* ngx_http_bluegreen_status(ngx_conf_t* cf, ngx_command_t*, void* data) {
  main_conf(cf).status_file = cf->conf_file->file.name.data;
  main_conf(cf).status_line = cf->conf_file->line;
  auto* const clcf = static_cast<ngx_http_core_loc_conf_t*>(
      ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  clcf->handler = ngx_http_bluegreen_status_handler;
  bluegreen::core::StatusSettings& settings =
      static_cast<ngx_http_bluegreen_loc_conf_t*>(data)->status;
  if (settings.seen != 0) {
    return const_cast<char*>("is duplicate");
  }
  settings = bluegreen::core::StatusSettings();
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    const char* const expected =
        bluegreen::core::parse_status_parameter(view(arguments(cf)[i]), settings);
    if (expected != nullptr) {
      return refuse_parameter(cf, arguments(cf)[i], expected);
    }
  }
  return NGX_CONF_OK;
}

ngx_command_t ngx_http_bluegreen_commands[] = {
    {ngx_string("bluegreen_control"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_http_bluegreen_control, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_telemetry"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_http_bluegreen_telemetry, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE1, ngx_http_bluegreen,
     NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_server"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE23, ngx_http_bluegreen_server,
     NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_balance"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE1234,
     ngx_http_bluegreen_balance, NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_sticky"), NGX_HTTP_UPS_CONF | NGX_CONF_1MORE, ngx_http_bluegreen_sticky,
     NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_hold"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE123, ngx_http_bluegreen_hold,
     NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_maintenance"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE123,
     ngx_http_bluegreen_maintenance, NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_preview"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE2,
     ngx_http_bluegreen_preview, NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_probe"), NGX_HTTP_UPS_CONF | NGX_CONF_ANY, ngx_http_bluegreen_probe,
     NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("bluegreen_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE12,
     ngx_http_bluegreen_status, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    ngx_null_command,
};

// The cycle's pool goes after the last request of the cycle: nothing of ours is used then.
static void ngx_http_bluegreen_close_cycle(void* data) {
  auto* const conf = static_cast<MainConf*>(data);
  stop_timer(conf->tick);
  stop_prober(*conf);
  free_pages(*conf);
  forget_status_documents();
  conf->telemetry.leave(conf->app_list(), conf->apps.nelts);
  conf->~MainConf();
}

void* ngx_http_bluegreen_create_main_conf(ngx_conf_t* cf) {
  void* const memory = ngx_pmemalign(cf->pool, sizeof(MainConf), alignof(MainConf));
  ngx_pool_cleanup_t* const cleanup = ngx_pool_cleanup_add(cf->pool, 0);
  if (memory == nullptr || cleanup == nullptr) {
    return nullptr;
  }
  auto* const conf = new (memory) MainConf();
  conf->cycle = cf->cycle;
  if (ngx_array_init(&conf->upstreams, cf->pool, 4, sizeof(void*)) != NGX_OK ||
      ngx_array_init(&conf->apps, cf->pool, 4, sizeof(void*)) != NGX_OK) {
    return nullptr;
  }
  cleanup->handler = ngx_http_bluegreen_close_cycle;
  cleanup->data = conf;
  return conf;
}

void* ngx_http_bluegreen_create_srv_conf(ngx_conf_t* cf) {
  return ngx_pcalloc(cf->pool, sizeof(SrvConf));
}

// After NGINX's own upstream module: every upstream that has a `bluegreen` was given to us.
static const char* ngx_http_bluegreen_fault(const MainConf& conf, const SrvConf& srv) {
  if (srv.upstream == nullptr) {
    return nullptr;
  }
  if (conf.control_path.data == nullptr) {
    return "\"bluegreen\" needs \"bluegreen_control FILE\" in the http block,";
  }
  return srv.initialized ? nullptr : "another load balancing method replaces \"bluegreen\"";
}

char* ngx_http_bluegreen_init_main_conf(ngx_conf_t* cf, void* data) {
  auto& conf = *static_cast<MainConf*>(data);
  const auto* const umcf = static_cast<ngx_http_upstream_main_conf_t*>(
      ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module));
  auto* const* const list = static_cast<ngx_http_upstream_srv_conf_t**>(umcf->upstreams.elts);
  for (ngx_uint_t i = 0; i < umcf->upstreams.nelts; ++i) {
    if (list[i]->srv_conf == nullptr) {
      continue;  // made by a proxy_pass to an address
    }
    const auto& srv =
        *static_cast<SrvConf*>(ngx_http_conf_upstream_srv_conf(list[i], ngx_http_bluegreen_module));
    if (srv.upstream != nullptr && srv.name.len == 0) {
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                    "\"%V\" needs \"bluegreen NAME\" in upstream \"%V\" in %s:%ui", &srv.first,
                    &list[i]->host, srv.file, srv.line);
      return static_cast<char*>(NGX_CONF_ERROR);
    }
    if (const char* const fault = ngx_http_bluegreen_fault(conf, srv)) {
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in upstream \"%V\" in %s:%ui", fault,
                    &list[i]->host, srv.file, srv.line);
      return static_cast<char*>(NGX_CONF_ERROR);
    }
  }
  if (conf.status_file != nullptr && conf.control_path.data == nullptr) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"bluegreen_status\" needs \"bluegreen_control FILE\" in the http block, in "
                  "%s:%ui",
                  conf.status_file, conf.status_line);
    return static_cast<char*>(NGX_CONF_ERROR);
  }
  return settle_probes(cf, conf);
}

}  // extern "C"
