//! The yardstick: nginx as a plain reverse proxy with kept-alive connections on both sides.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::scratch::Scratch;
use crate::subject::{Gateway, Subject, free_port};

pub(crate) fn subject(scratch: &Scratch, upstream: u16) -> anyhow::Result<Subject> {
    let program = find().context("not installed (Debian: apt install nginx-light)")?;
    let port = free_port()?;
    let config = scratch.write("nginx.conf", &config(scratch.path(), port, upstream))?;
    let mut command = Command::new(&program);
    command.arg("-c").arg(config).arg("-p").arg(scratch.path()).args(["-g", "daemon off;"]);
    let gateway = Gateway { command, log: scratch.path().join("nginx.log") };
    Ok(Subject { name: "nginx", title: version(&program), port, gateway: Some(gateway) })
}

/// Debian keeps nginx in a folder that is not on everyone's path.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|folder| folder.join("nginx")).find(|program| program.is_file())
}

fn version(program: &Path) -> String {
    let said = Command::new(program).arg("-v").output().map(|output| output.stderr).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    said.trim().strip_prefix("nginx version: ").unwrap_or("nginx").replace('/', " ")
}

fn config(scratch: &Path, port: u16, upstream: u16) -> String {
    let scratch = scratch.display();
    format!(
        "worker_processes 1;
pid {scratch}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 120s;
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  client_body_temp_path {scratch}/nginx-body;
  proxy_temp_path {scratch}/nginx-proxy;
  fastcgi_temp_path {scratch}/nginx-fastcgi;
  uwsgi_temp_path {scratch}/nginx-uwsgi;
  scgi_temp_path {scratch}/nginx-scgi;
  upstream provider {{
    server 127.0.0.1:{upstream};
    keepalive 128;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffering off;
    }}
  }}
}}
"
    )
}
