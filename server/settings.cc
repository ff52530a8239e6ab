#include "server/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "engine/metadata/broker_config.h"
#include "engine/metadata/topic_config.h"
#include "server/settings_table.h"

namespace millrace::server {
namespace {

std::string upper(std::string_view text) {
  std::string raised(text);
  for (char& c : raised) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return raised;
}

std::unexpected<Error> invalid(std::string message) {
  return fail(Errc::invalid_argument, std::move(message));
}

constexpr std::string_view kListenerPrefix = "listener.name.";

// The key in the table for a key in a file: `listener.name.internal.ssl.protocol` is `ssl.protocol`
// for one listener, and the settings of remote storage plug-ins have prefixes of their own.
std::string_view key_in_table(std::string_view name) {
  if (name.starts_with("rsm.config.")) return "remote.log.storage.manager.impl.prefix";
  if (name.starts_with("rlmm.config.")) return "remote.log.metadata.manager.impl.prefix";
  if (!name.starts_with(kListenerPrefix)) return name;
  for (auto dot = name.find('.', kListenerPrefix.size()); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    if (find_setting(name.substr(dot + 1)) != nullptr) return name.substr(dot + 1);
  }
  return name;
}

Result<void> check_refused(const Setting& setting, const SettingEntry& entry) {
  if (setting.status != SettingStatus::refused) return {};
  const std::string_view usual = setting.definition.default_value.value_or("");
  if (entry.value == usual || entry.value.empty()) return {};
  return fail(Errc::unsupported,
              fmt::format("{}: {} cannot be {}: {}. Take the line out.", entry.where, entry.name,
                          setting.definition.type == ConfigType::password ? "set" : entry.value,
                          setting.note));
}

// "A:PLAINTEXT,B:SSL" as pairs.
std::map<std::string, std::string> parse_protocol_map(const std::string& text) {
  std::map<std::string, std::string> protocols;
  for (const std::string& pair : engine::split_list(text)) {
    const auto colon = pair.find(':');
    if (colon != std::string::npos)
      protocols[upper(pair.substr(0, colon))] = upper(pair.substr(colon + 1));
  }
  return protocols;
}

}  // namespace

Result<Listener> parse_listener(std::string_view text) {
  const auto usage = [&] {
    return invalid(fmt::format(
        "`{}` is not a listener; write NAME://host:port, such as PLAINTEXT://0.0.0.0:9092", text));
  };
  const auto scheme = text.find("://");
  const auto colon = text.rfind(':');
  if (scheme == std::string_view::npos || scheme == 0 || colon <= scheme + 1) return usage();
  std::string_view host = text.substr(scheme + 3, colon - scheme - 3);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return usage();
  }
  const std::string_view digits = text.substr(colon + 1);
  Listener listener{upper(text.substr(0, scheme)), std::string(host), 0};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), listener.port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return usage();
  return listener;
}

Result<Settings> Settings::make(std::span<const SettingEntry> entries) {
  Settings settings;
  // All that is wrong with the lines at once: who moves a file here mends it once.
  std::optional<Error> wrong;
  for (const SettingEntry& entry : entries) {
    auto taken = settings.take(entry);
    if (taken) continue;
    if (!wrong) {
      wrong = std::move(taken).error();
    } else {
      wrong->message += "\n" + taken.error().message;
    }
  }
  if (wrong) return fail(std::move(*wrong));
  for (const Setting& setting : all_settings()) {
    if (settings.values_.contains(setting.definition.name) || !setting.definition.default_value)
      continue;
    auto value = engine::parse_config(setting.definition, *setting.definition.default_value);
    CHECK(value, "default of {}", setting.definition.name);
    settings.values_.emplace(setting.definition.name, std::move(*value));
  }
  TRY_DONE(settings.derive());
  return settings;
}

Result<void> Settings::take(const SettingEntry& entry) {
  const Setting* setting = find_setting(key_in_table(entry.name));
  if (setting == nullptr) {
    const std::string_view meant = nearest_setting(entry.name);
    const std::string advice = meant.empty() ? "docs/settings.md lists what there is"
                                             : fmt::format("did you mean {}?", meant);
    return invalid(fmt::format("{}: unknown setting {}; {}", entry.where, entry.name, advice));
  }
  TRY_DONE(check_refused(*setting, entry));
  if (setting->definition.name != entry.name) return take_of_listener(entry, *setting);
  auto value = engine::parse_config(setting->definition, entry.value);
  if (!value) return invalid(fmt::format("{}: {}", entry.where, value.error().message));
  if (const auto served = engine::check_topic_default(entry.name, entry.value); !served) {
    return fail(Errc::unsupported, fmt::format("{}: {}", entry.where, served.error().message));
  }
  if (const auto before = where_.find(entry.name);
      before != where_.end() && entry.where != "--override") {
    warnings_.push_back(fmt::format("{}: {} was set before, at {}; this line holds", entry.where,
                                    entry.name, before->second));
  }
  const bool changed = entry.value != setting->definition.default_value.value_or("");
  if (setting->status == SettingStatus::accepted && changed) {
    warnings_.push_back(
        fmt::format("{}: {} changes nothing: {}", entry.where, entry.name, setting->note));
  }
  set_[entry.name] = entry.value;
  where_[entry.name] = entry.where;
  values_.insert_or_assign(entry.name, std::move(*value));
  return {};
}

// A key for one listener or one plug-in says nothing about the key in general. One of them has a value of its own here.
Result<void> Settings::take_of_listener(const SettingEntry& entry, const Setting& setting) {
  if (entry.name.starts_with(kListenerPrefix) && setting.definition.name == "max.connections") {
    auto limit = engine::parse_config(setting.definition, entry.value);
    if (!limit) return invalid(fmt::format("{}: {}", entry.where, limit.error().message));
    const std::size_t name_length = entry.name.size() - kListenerPrefix.size() - setting.definition.name.size() - 1;
    const std::string name = upper(entry.name.substr(kListenerPrefix.size(), name_length));
    connections_per_listener_[name] = std::get<std::int64_t>(*limit);
    return {};
  }
  const std::string_view why =
      setting.note.empty() ? "it holds for all listeners, without the prefix" : std::string_view(setting.note);
  warnings_.push_back(fmt::format("{}: {} changes nothing: {}", entry.where, entry.name, why));
  return {};
}

Result<void> Settings::derive() {
  node_id_ = BrokerId(static_cast<std::int32_t>(number("node.id")));
  if (is_set("broker.id") && number("broker.id") >= 0) {
    if (is_set("node.id") && number("node.id") != number("broker.id")) {
      return invalid(fmt::format("node.id is {} and broker.id is {}; leave broker.id out",
                                 number("node.id"), number("broker.id")));
    }
    node_id_ = BrokerId(static_cast<std::int32_t>(number("broker.id")));
  }
  log_dirs_ = is_set("log.dirs") ? list("log.dirs") : list("log.dir");
  std::erase(log_dirs_, "");
  if (log_dirs_.empty()) return invalid("log.dirs names no directory");
  if (std::set<std::string>(log_dirs_.begin(), log_dirs_.end()).size() != log_dirs_.size()) {
    return invalid("log.dirs names a directory twice");
  }
  TRY_DONE(derive_listeners());
  TRY_DONE(check_protocols());
  TRY_DONE(check_roles());
  TRY_DONE(check_quorum());
  TRY_DONE(check_connection_limits());
  TRY_DONE(check_retention());
  TRY_DONE(check_cleaner());
  return check_group_timeouts();
}

Result<void> Settings::derive_listeners() {
  for (const std::string& text : list("listeners")) {
    TRY(listener, parse_listener(text));
    const bool twice = std::ranges::any_of(
        listeners_, [&](const Listener& other) { return other.name == listener.name; });
    if (twice) return invalid(fmt::format("listeners: the name {} stands twice", listener.name));
    listeners_.push_back(listener);
  }
  if (client_listeners().empty())
    return invalid("listeners: there is none for clients; write listeners=PLAINTEXT://:9092");
  for (const std::string& text : list("advertised.listeners")) {
    TRY(listener, parse_listener(text));
    if (listener.host.empty() || listener.host == "0.0.0.0" || listener.host == "::") {
      return invalid(fmt::format(
          "advertised.listeners: clients cannot connect to `{}`; name a host they can reach",
          text));
    }
    const bool known = std::ranges::any_of(
        listeners_, [&](const Listener& other) { return other.name == listener.name; });
    if (!known)
      return invalid(fmt::format("advertised.listeners: {} is not in listeners", listener.name));
    advertised_.push_back(listener);
  }
  const std::string among_brokers = upper(text("inter.broker.listener.name"));
  const bool known =
      std::ranges::any_of(listeners_, [&](const Listener& l) { return l.name == among_brokers; });
  if (!among_brokers.empty() && !known) {
    return invalid(
        fmt::format("inter.broker.listener.name: {} is not in listeners", among_brokers));
  }
  return {};
}

Result<void> Settings::check_protocols() const {
  const auto protocols = parse_protocol_map(text("listener.security.protocol.map"));
  for (const Listener& listener : listeners_) {
    auto protocol = protocols.find(listener.name);
    if (protocol == protocols.end()) {
      // As in Kafka, a controller listener that the unset map does not name is PLAINTEXT.
      if (is_controller_listener(listener.name) && !is_set("listener.security.protocol.map"))
        continue;
      return invalid(
          fmt::format("listener.security.protocol.map does not say what {} is; add {}:PLAINTEXT",
                      listener.name, listener.name));
    }
    if (protocol->second == "PLAINTEXT") continue;
    return fail(Errc::unsupported, fmt::format("listener {} is {}, and this version serves "
                                               "PLAINTEXT only; take the listener out or map it to "
                                               "PLAINTEXT in listener.security.protocol.map",
                                               listener.name, protocol->second));
  }
  return {};
}

Result<void> Settings::check_roles() const {
  const std::vector<std::string> roles = list("process.roles");
  const auto has = [&](std::string_view role) {
    return std::ranges::find(roles, role) != roles.end();
  };
  if (has("broker") && has("controller")) return {};
  return fail(
      Errc::unsupported,
      fmt::format("process.roles={}: this version runs broker and controller in one process; write "
                  "process.roles=broker,controller",
                  text("process.roles")));
}

Result<void> Settings::check_quorum() const {
  const std::vector<std::string> voters = list("controller.quorum.voters");
  if (voters.empty()) return {};
  const std::string own = fmt::format("{}@", node_id_.value());
  if (voters.size() == 1 && voters[0].starts_with(own)) return {};
  return fail(Errc::unsupported, fmt::format("controller.quorum.voters={}: this version runs as a "
                                             "single node, so the one voter must be "
                                             "{}host:port, or leave it out",
                                             set_.at("controller.quorum.voters"), own));
}

Result<void> Settings::check_connection_limits() const {
  TRY(limits, engine::parse_address_limits(text("max.connections.per.ip.overrides")));
  return engine::check_address_limits(number("max.connections.per.ip"), limits);
}

Result<void> Settings::check_retention() const {
  for (const std::string_view name : engine::kRetentionTimes) {
    if (const auto value = maybe_number(name)) TRY_DONE(engine::check_broker_number(name, *value));
  }
  return {};
}

Result<void> Settings::check_cleaner() const {
  return engine::check_cleaner_buffer(number("log.cleaner.dedupe.buffer.size"), number("log.cleaner.threads"));
}

Result<void> Settings::check_group_timeouts() const {
  for (const std::string_view what : {"session.timeout.ms", "heartbeat.interval.ms"}) {
    const std::string name = fmt::format("group.consumer.{}", what);
    const std::int64_t least = number(fmt::format("group.consumer.min.{}", what));
    const std::int64_t most = number(fmt::format("group.consumer.max.{}", what));
    const std::int64_t value = number(name);
    if (least > most) {
      return invalid(fmt::format("group.consumer.min.{} is {}, above group.consumer.max.{}, {}", what, least, what, most));
    }
    if (value < least || value > most) {
      return invalid(fmt::format("{} is {}; it must be between {} and {}, its least and largest value", name, value, least, most));
    }
  }
  return {};
}

const engine::ConfigValue* Settings::find_value(std::string_view name) const {
  CHECK(find_setting(name) != nullptr, "no such setting: {}", name);
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

bool Settings::flag(std::string_view name) const {
  const auto* value = find_value(name);
  CHECK(value != nullptr, "{} is null", name);
  return std::get<bool>(*value);
}

std::int64_t Settings::number(std::string_view name) const {
  const auto* value = find_value(name);
  CHECK(value != nullptr, "{} is null", name);
  return std::get<std::int64_t>(*value);
}

Duration Settings::milliseconds(std::string_view name) const {
  const std::int64_t most = to_ms(kLongest);
  return from_ms(std::clamp(number(name), -most, most));
}

Duration Settings::minutes(std::string_view name) const {
  constexpr std::int64_t kMost = std::chrono::floor<std::chrono::minutes>(kLongest).count();
  return std::chrono::minutes(std::clamp(number(name), -kMost, kMost));
}

std::optional<std::int64_t> Settings::maybe_number(std::string_view name) const {
  const auto* value = find_value(name);
  if (value == nullptr) return std::nullopt;
  return std::get<std::int64_t>(*value);
}

double Settings::real(std::string_view name) const {
  const auto* value = find_value(name);
  CHECK(value != nullptr, "{} is null", name);
  return std::get<double>(*value);
}

std::string Settings::text(std::string_view name) const {
  const auto* value = find_value(name);
  if (value == nullptr) return {};
  if (const auto* elements = std::get_if<std::vector<std::string>>(value)) {
    std::string joined;
    for (const std::string& element : *elements) joined += (joined.empty() ? "" : ",") + element;
    return joined;
  }
  return std::get<std::string>(*value);
}

std::vector<std::string> Settings::list(std::string_view name) const {
  const auto* value = find_value(name);
  if (value == nullptr) return {};
  return std::get<std::vector<std::string>>(*value);
}

std::string Settings::metadata_log_dir() const {
  const std::string own = text("metadata.log.dir");
  return own.empty() ? log_dirs_.front() : own;
}

bool Settings::is_controller_listener(std::string_view listener_name) const {
  const std::vector<std::string> names = list("controller.listener.names");
  return std::ranges::any_of(names,
                             [&](const std::string& name) { return upper(name) == listener_name; });
}

std::vector<Listener> Settings::client_listeners() const {
  std::vector<Listener> clients = listeners_;
  std::erase_if(clients,
                [&](const Listener& listener) { return is_controller_listener(listener.name); });
  return clients;
}

std::vector<Listener> Settings::advertised_listeners(std::string_view own_host) const {
  std::vector<Listener> advertised = client_listeners();
  for (Listener& listener : advertised) {
    const auto told = std::ranges::find(advertised_, listener.name, &Listener::name);
    if (told != advertised_.end()) listener = *told;
    const bool every_address =
        listener.host.empty() || listener.host == "0.0.0.0" || listener.host == "::";
    if (every_address) listener.host = own_host;
  }
  return advertised;
}

}  // namespace millrace::server
