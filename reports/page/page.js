// Draws the page's charts with Vega-Lite from the record embedded in the page, opens and saves. The page is whole
// without it: every chart has its table.
'use strict';
(() => {
  const root = document.documentElement;
  root.classList.add('scripts');
  const embedded = document.getElementById('record').textContent;
  const record = JSON.parse(embedded);

  // ---- saving and unfolding ----
  const download = document.getElementById('download');
  download.hidden = false;
  download.addEventListener('click', () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([embedded], {type: 'application/json'}));
    link.download = download.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
  const unfold = document.getElementById('unfold');
  unfold.hidden = false;
  unfold.addEventListener('click', () => {
    const shut = document.querySelectorAll('details:not([open])');
    if (shut.length) shut.forEach(details => { details.open = true; });
    else document.querySelectorAll('details').forEach(details => { details.open = false; });
    unfold.textContent = shut.length ? 'Fold all sections' : 'Open all sections';
  });
  // A reason links to its finding or its row, which may lie in a folded section.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let up = target.parentElement; up; up = up.parentElement) if (up.tagName === 'DETAILS') up.open = true;
    target.scrollIntoView({block: 'center'});
  };
  addEventListener('hashchange', reveal);
  reveal();

  if (!window.vegaEmbed) return;

  // ---- what the drawings share ----
  const binary = "datum.value >= 1073741824 ? format(datum.value / 1073741824, '~g') + ' GiB' : " +
    "datum.value >= 1048576 ? format(datum.value / 1048576, '~g') + ' MiB' : " +
    "datum.value >= 1024 ? format(datum.value / 1024, '~g') + ' KiB' : format(datum.value, '~g') + ' B'";
  const bytesText = bytes => {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let unit = 0;
    while (unit < 4 && bytes >= 1024 && bytes % 1024 === 0) { bytes /= 1024; ++unit; }
    return bytes + ' ' + units[unit];
  };
  // Titles become part of expressions: no text of the record may be one.
  const unitText = unit => ({gbit_s: 'Gbit/s', gb_s: 'GB/s', us: 'µs'}[unit] || 'value');
  const palette = [0, 1, 2, 3, 4, 5, 6, 7].map(i => `var(--c${i})`);
  // Ticks stand at sizes that were measured, at `most` of them, evenly by their order.
  const sizeAxis = (rows, most = 12) => {
    const sizes = [...new Set(rows.map(row => row.bytes))].sort((a, b) => a - b);
    const step = Math.max(1, Math.ceil((sizes.length - 1) / Math.max(1, most - 1)));
    return {field: 'bytes', type: 'quantitative', scale: {type: 'log', base: 2}, title: 'message size',
      axis: {labelExpr: binary, labelOverlap: true, values: sizes.filter((unused, i) => i % step === 0)}};
  };
  const rule = (value, text, colour, where = 'y') => ({
    data: {values: [{value, text}]},
    layer: [
      {mark: {type: 'rule', strokeDash: [6, 4], color: colour}, encoding: {[where]: {field: 'value', type: 'quantitative'}}},
      where === 'y' ?
        {mark: {type: 'text', align: 'left', baseline: 'bottom', dx: 4, dy: -2, color: colour},
          encoding: {x: {value: 0}, y: {field: 'value', type: 'quantitative'}, text: {field: 'text'}}} :
        {mark: {type: 'text', align: 'left', baseline: 'bottom', dx: 4, dy: -2, color: colour},
          encoding: {y: {value: 0}, x: {field: 'value', type: 'quantitative'}, text: {field: 'text'}}}],
  });
  // Columns of small multiples that fit beside each other.
  const columns = (figure, least) => Math.max(1, Math.min(4, Math.floor(figure.clientWidth / least)));
  const cellWidth = (figure, count) => Math.max(140, Math.floor(figure.clientWidth / count) - 34);
  const figures = record.figures || {};

  // ---- one function per kind of chart: (figure, selection) -> {spec, rows} ----
  const drawings = {};

  drawings.bandwidth = (figure, selection) => {
    // Bandwidth at a percentile of the time is the median's scaled by the times: a slow operation is a low bandwidth.
    const rows = selection.series.map(i => record.series[i]).filter(s => s.time_us.p50 > 0 && s.bytes > 0).map(s => {
      const at = time => (time > 0 ? s.busbw_gb_s * s.time_us.p50 / time : null);
      return {bytes: s.bytes, size: bytesText(s.bytes), p50: s.busbw_gb_s, fastest: at(s.time_us.min),
        p95: at(s.time_us.p95), p99: at(s.time_us.p99), p50_us: s.time_us.p50, wrong: s.wrong || 0,
        bound: s.threshold && s.threshold.metric === 'busbw_gb_s' ? s.threshold.bound : null,
        status: s.threshold ? s.threshold.status : 'not judged'};
    });
    const x = sizeAxis(rows);
    const y = {field: 'p50', type: 'quantitative', title: 'bus bandwidth, GB/s', scale: {zero: true, nice: true}};
    const layer = [
      {mark: {type: 'area', color: 'var(--c0)', opacity: 0.14}, encoding: {x, y: {field: 'p99', type: 'quantitative'}, y2: {field: 'fastest'}}},
      {mark: {type: 'area', color: 'var(--c0)', opacity: 0.22}, encoding: {x, y: {field: 'p95', type: 'quantitative'}, y2: {field: 'p50'}}},
      {mark: {type: 'line', color: 'var(--c0)', strokeWidth: 2}, encoding: {x, y}},
      {mark: {type: 'point', filled: true, size: 55, opacity: 1}, encoding: {x, y,
        color: {condition: {test: "datum.status === 'fail' || datum.wrong > 0", value: 'var(--bad)'}, value: 'var(--c0)'},
        shape: {condition: {test: "datum.status === 'fail' || datum.wrong > 0", value: 'cross'}, value: 'circle'},
        tooltip: [{field: 'size', title: 'size'}, {field: 'p50', title: 'busbw GB/s, median', format: '.2f'},
          {field: 'p95', title: 'at p95 of time', format: '.2f'}, {field: 'p99', title: 'at p99 of time', format: '.2f'},
          {field: 'p50_us', title: 'median, µs', format: '.2f'}, {field: 'status', title: 'policy'}]}},
    ];
    if (rows.some(row => row.bound !== null))
      layer.push({transform: [{filter: 'datum.bound !== null'}],
        mark: {type: 'tick', orient: 'horizontal', color: 'var(--bad)', thickness: 3, size: 26},
        encoding: {x, y: {field: 'bound', type: 'quantitative'}, tooltip: [{field: 'bound', title: 'policy asks, GB/s', format: '.2f'}]}});
    const link = figures.interconnect;
    if (link) {
      layer.push(rule(link.target_gb_s, `target ${link.rails} × ${link.rail_gbit_s} Gbit/s = ${link.target_gb_s.toFixed(2)} GB/s`, 'var(--muted)'));
      layer.push(rule(link.ceiling_gb_s, `ceiling at MTU ${link.mtu_bytes} = ${link.ceiling_gb_s.toFixed(2)} GB/s`, 'var(--c1)'));
      // The two lie within 2 % of each other: the ceiling's name goes under its line.
      const text = layer[layer.length - 1].layer[1].mark;
      text.baseline = 'top';
      text.dy = 3;
    }
    return {rows, spec: {width: 'container', height: 280, layer}};
  };

  drawings.ranks = (figure, selection) => {
    const rows = [];
    for (const i of selection.series) {
      const series = record.series[i];
      const times = series.rank_p50_us || [];
      const sorted = [...times].sort((a, b) => a - b);
      const middle = sorted[Math.floor(sorted.length / 2)];
      if (!(middle > 0)) continue;
      for (const rank of selection.ranks)
        if (times[rank] > 0)
          rows.push({bytes: series.bytes, rank, ratio: times[rank] / middle, us: times[rank], size: bytesText(series.bytes),
            slowest: Boolean(series.slowest && series.slowest.rank === rank)});
    }
    const count = columns(figure, 190);
    const x = {...sizeAxis(rows, 3), title: null};
    return {rows, spec: {columns: count, facet: {field: 'rank', type: 'nominal', sort: selection.ranks,
      header: {title: null, labelExpr: "'rank ' + datum.value"}},
    spec: {width: cellWidth(figure, count), height: 90, layer: [
      {mark: {type: 'rule', strokeDash: [4, 3], color: 'var(--muted)'}, encoding: {y: {datum: 1}}},
      {mark: {type: 'line', color: 'var(--c0)'}, encoding: {x, y: {field: 'ratio', type: 'quantitative', title: null, scale: {zero: false}, axis: {format: '.1%', tickCount: 4}}}},
      {mark: {type: 'point', filled: true, opacity: 1}, encoding: {x, y: {field: 'ratio', type: 'quantitative'},
        color: {condition: {test: 'datum.slowest', value: 'var(--bad)'}, value: 'var(--c0)'},
        tooltip: [{field: 'rank'}, {field: 'size'}, {field: 'us', title: 'median, µs', format: '.2f'}, {field: 'ratio', title: 'of the median rank', format: '.1%'}]}},
    ]}}};
  };

  drawings.rail_bars = (figure, selection) => {
    const rows = selection.rails.map(i => figures.rails[i]).map(r => ({...r, name: `${r.node} rail ${r.rail}` +
      (r.operation ? ` ${r.operation}` : '') + (r.peer ? ` → ${r.peer}` : ''),
      low: r.ci_gbit_s[0], high: r.ci_gbit_s[1], verdict: r.status}));
    const y = {field: 'name', type: 'nominal', title: null, sort: rows.map(r => r.name), axis: {labelLimit: 220}};
    const layer = [
      {mark: {type: 'bar', height: {band: 0.7}}, encoding: {y, x: {field: 'gbit_s', type: 'quantitative', title: 'Gbit/s', scale: {zero: true}},
        color: {condition: {test: "datum.verdict === 'fail'", value: 'var(--bad)'}, value: 'var(--c0)'},
        tooltip: [{field: 'name'}, {field: 'device'}, {field: 'gbit_s', format: '.2f'}, {field: 'verdict', title: 'policy'}]}},
      {mark: {type: 'rule', color: 'var(--ink)', strokeWidth: 2}, encoding: {y, x: {field: 'low', type: 'quantitative'}, x2: {field: 'high'}}},
    ];
    if (rows.some(row => row.verdict === 'fail'))
      layer.push({transform: [{filter: "datum.verdict === 'fail'"}], mark: {type: 'text', align: 'left', dx: 6, color: 'var(--bad)', fontWeight: 'bold'},
        encoding: {y, x: {field: 'gbit_s', type: 'quantitative'}, text: {value: '✗'}}});
    if (figures.interconnect) layer.push(rule(figures.interconnect.rail_gbit_s, `${figures.interconnect.rail_gbit_s} Gbit/s`, 'var(--c1)', 'x'));
    return {rows, spec: {width: 'container', height: rows.length * 22, layer}};
  };

  drawings.rail_sizes = (figure, selection) => {
    const rows = selection.rails.map(i => figures.rails[i]).map(r => ({...r, name: `${r.node} rail ${r.rail}`, size: bytesText(r.bytes)}));
    const count = columns(figure, 240);
    const x = {...sizeAxis(rows, 3), title: null};
    const layer = [
      {mark: {type: 'line', point: {filled: true, size: 24}}, encoding: {x, y: {field: 'gbit_s', type: 'quantitative', title: null, axis: {tickCount: 4}},
        color: {field: 'operation', type: 'nominal', scale: {range: palette}, legend: {title: null, orient: 'top'}},
        tooltip: [{field: 'name'}, {field: 'size'}, {field: 'operation'}, {field: 'gbit_s', title: 'Gbit/s', format: '.2f'}]}},
    ];
    if (figures.interconnect) layer.push({mark: {type: 'rule', strokeDash: [4, 3], color: 'var(--c1)'}, encoding: {y: {datum: figures.interconnect.rail_gbit_s}}});
    return {rows, spec: {columns: count, facet: {field: 'name', type: 'nominal', header: {title: null}},
      spec: {width: cellWidth(figure, count), height: 100, layer}}};
  };

  drawings.matrix = (figure, selection) => {
    const matrix = figures.matrices[selection.matrix];
    // Nobody sees a quarter of a million cells, and drawing them takes seconds: of a large matrix each cell is a block
    // of pairs, coloured by the worst of them.
    const block = Math.max(1, Math.ceil(Math.max(matrix.rows.length, matrix.columns.length) / 96));
    const named = (names, i) => (block === 1 ? names[i] : names[i * block] + ' …');
    const wide = Math.ceil(matrix.columns.length / block);
    const high = Math.ceil(matrix.rows.length / block);
    const worse = matrix.unit === 'us' ? Math.max : Math.min;
    const worst = new Array(wide * high).fill(null);
    matrix.values.forEach((value, i) => {
      if (value === null) return;
      const cell = Math.floor(Math.floor(i / matrix.columns.length) / block) * wide + Math.floor((i % matrix.columns.length) / block);
      worst[cell] = worst[cell] === null ? value : worse(worst[cell], value);
    });
    const rowNames = Array.from({length: high}, (unused, i) => named(matrix.rows, i));
    const columnNames = Array.from({length: wide}, (unused, i) => named(matrix.columns, i));
    const rows = [];
    worst.forEach((value, i) => {
      if (value !== null) rows.push({from: rowNames[Math.floor(i / wide)], to: columnNames[i % wide], value});
    });
    const marked = [];
    for (const culprit of matrix.culprits)
      worst.forEach((value, i) => {
        const r = Math.floor(i / wide), c = i % wide;
        const row = r === Math.floor(culprit.row / block), column = c === Math.floor(culprit.column / block);
        if ((row && (column || culprit.whole_row)) || (column && culprit.whole_column)) marked.push({from: rowNames[r], to: columnNames[c], why: culprit.why});
      });
    const many = rows.length > 2500;
    if (block > 1 && !figure.dataset.drawn) figure.querySelector('figcaption').append(`; each cell is the worst of ${block} × ${block} pairs`);
    const step = Math.max(1, Math.min(46, Math.floor((figure.clientWidth - 190) / Math.max(1, wide))));
    const labels = step >= 11;
    const axis = {labels, ticks: labels, labelLimit: 130, domain: false};
    const unit = unitText(matrix.unit);
    const x = {field: 'to', type: 'nominal', sort: columnNames, title: 'to', axis: {...axis, orient: 'top', labelAngle: -45}};
    const y = {field: 'from', type: 'nominal', sort: rowNames, title: 'from', axis};
    const layer = [
      {mark: 'rect', encoding: {x, y,
        color: {field: 'value', type: 'quantitative', title: unit, scale: {scheme: 'viridis', reverse: matrix.unit === 'us', zero: false}},
        tooltip: [{field: 'from'}, {field: 'to'}, {field: 'value', title: unit, format: '.2f'}]}},
    ];
    if (marked.length)
      layer.push({data: {values: marked}, mark: {type: 'rect', filled: false, stroke: 'var(--bad)', strokeWidth: step > 5 ? 3 : 1, fill: null},
        encoding: {x, y, tooltip: [{field: 'from'}, {field: 'to'}, {field: 'why'}]}});
    return {rows, renderer: many ? 'canvas' : 'svg', spec: {width: {step}, height: {step}, layer}};
  };

  drawings.histogram = (figure, selection) => {
    const histogram = figures.histograms[selection.histogram];
    const rows = histogram.counts.map((count, i) => ({low: histogram.edges_us[i], high: histogram.edges_us[i + 1], count}));
    const log = rows.length > 0 && rows[0].low > 0 && rows[rows.length - 1].high / rows[0].low > 50;
    return {rows, spec: {width: 'container', height: 180, mark: {type: 'bar', color: 'var(--c0)'}, encoding: {
      x: {field: 'low', type: 'quantitative', bin: 'binned', title: 'latency, µs', scale: log ? {type: 'log'} : {zero: false}},
      x2: {field: 'high'},
      // Tails are why one looks at a histogram; on a linear axis a count of one is not seen. One count must be above zero.
      y: {field: 'count', type: 'quantitative', title: 'count', scale: {type: 'symlog'}},
      tooltip: [{field: 'low', title: 'from µs', format: '.2f'}, {field: 'high', title: 'to µs', format: '.2f'}, {field: 'count'}]}}};
  };

  drawings.gpus = (figure, selection) => {
    const rows = [], events = [];
    for (const i of selection.traces) {
      const trace = figures.gpu_traces[i];
      // A long burn-in has more points than the screen has pixels.
      const stride = Math.max(1, Math.ceil(trace.time_s.length / 600));
      trace.time_s.forEach((time_s, t) => {
        if (t % stride) return;
        rows.push({gpu: trace.gpu, time_s, sm_clock_mhz: trace.sm_clock_mhz[t] ?? null, power_w: trace.power_w[t] ?? null,
          temperature_c: trace.temperature_c[t] ?? null});
      });
      for (const event of trace.events) events.push({gpu: trace.gpu, ...event});
    }
    const most = key => selection.traces.map(i => figures.gpu_traces[i][key]).filter(v => v !== undefined && v !== null);
    const panel = (field, title, limits) => {
      const layer = [
        {mark: {type: 'line', strokeWidth: 1.5, interpolate: 'monotone'}, encoding: {
          x: {field: 'time_s', type: 'quantitative', title: field === 'temperature_c' ? 'time, s' : null},
          y: {field, type: 'quantitative', title, scale: {zero: false}},
          color: {field: 'gpu', type: 'nominal', scale: {range: palette}, legend: {title: 'GPU', orient: 'top'}},
          tooltip: [{field: 'gpu', title: 'GPU'}, {field: 'time_s', title: 's'}, {field, title}]}},
      ];
      if (limits.length) layer.push({mark: {type: 'rule', strokeDash: [4, 3], color: 'var(--bad)'}, encoding: {y: {datum: Math.min(...limits)}}});
      if (events.length) layer.push({data: {values: events}, mark: {type: 'rule', color: 'var(--bad)', strokeWidth: 2},
        encoding: {x: {field: 'time_s', type: 'quantitative'}, tooltip: [{field: 'gpu', title: 'GPU'}, {field: 'what'}, {field: 'time_s', title: 's'}]}});
      return {width: Math.max(160, figure.clientWidth - 80), height: 110, layer};
    };
    return {rows, spec: {vconcat: [
      panel('sm_clock_mhz', 'SM clock, MHz', []),
      panel('power_w', 'power, W', most('power_limit_w')),
      panel('temperature_c', 'temperature, °C', most('slowdown_temperature_c'))]}};
  };

  drawings.slowdown = (figure, selection) => {
    const rows = selection.series.map(i => record.series[i]).map(s => ({name: s.name, change: s.change, slowdown: s.slowdown - 1,
      low: s.slowdown_ci[0] - 1, high: s.slowdown_ci[1] - 1}));
    const y = {field: 'name', type: 'nominal', title: null, sort: rows.map(r => r.name), axis: {labelLimit: Math.min(320, figure.clientWidth / 3)}};
    const colour = {field: 'change', type: 'nominal', legend: {title: null, orient: 'top'},
      scale: {domain: ['SLOWER', 'UNDECIDED', 'SAME', 'FASTER'], range: ['var(--bad)', 'var(--warn)', 'var(--muted)', 'var(--good)']}};
    const t = record.tolerance;
    return {rows, spec: {width: 'container', height: Math.max(60, rows.length * 20), layer: [
      {data: {values: [{from: 1 / (1 + t) - 1, to: t}]}, mark: {type: 'rect', color: 'var(--muted)', opacity: 0.15},
        encoding: {x: {field: 'from', type: 'quantitative'}, x2: {field: 'to'}}},
      {mark: {type: 'rule', color: 'var(--muted)'}, encoding: {x: {datum: 0}}},
      {mark: {type: 'rule', strokeWidth: 3}, encoding: {y, color: colour, x: {field: 'low', type: 'quantitative', title: 'slower by', axis: {format: '+.1%'}}, x2: {field: 'high'}}},
      {mark: {type: 'point', filled: true, size: 60, opacity: 1}, encoding: {y, color: colour, x: {field: 'slowdown', type: 'quantitative'},
        tooltip: [{field: 'name'}, {field: 'change'}, {field: 'slowdown', title: 'slower by', format: '+.2%'}, {field: 'low', format: '+.2%'}, {field: 'high', format: '+.2%'}]}},
    ]}};
  };

  drawings.trend = (figure, selection) => {
    const trend = record.trends[selection.trend];
    const rows = trend.time_s.map((t, i) => ({time: t * 1000, value: trend.value[i],
      low: trend.low ? trend.low[i] : null, high: trend.high ? trend.high[i] : null}));
    const marks = selection.events.map(i => ({time: record.events[i].time_s * 1000, name: 'E' + (i + 1), worse: record.events[i].worse,
      what: record.events[i].versions.map(v => `${v.what}: ${v.before} → ${v.after}`).join('; ') || 'nothing recorded'}));
    const unit = unitText(trend.unit);
    const x = {field: 'time', type: 'temporal', scale: {type: 'utc'}, title: null, axis: {format: '%d %b %Y', tickCount: 6, labelOverlap: true}};
    const layer = [];
    if (trend.low) layer.push({mark: {type: 'area', color: 'var(--c0)', opacity: 0.18}, encoding: {x, y: {field: 'low', type: 'quantitative', scale: {zero: false}}, y2: {field: 'high'}}});
    layer.push({mark: {type: 'line', color: 'var(--c0)', point: rows.length < 120 ? {filled: true, size: 14, color: 'var(--c0)'} : false},
      encoding: {x, y: {field: 'value', type: 'quantitative', title: unit, scale: {zero: false}},
        tooltip: [{field: 'time', type: 'temporal', format: '%Y-%m-%d'}, {field: 'value', title: unit, format: '.2f'}]}});
    if (marks.length) {
      const colour = {condition: {test: 'datum.worse', value: 'var(--bad)'}, value: 'var(--good)'};
      const tooltip = [{field: 'name'}, {field: 'time', type: 'temporal', format: '%Y-%m-%d'}, {field: 'what', title: 'what else changed'}];
      layer.push({data: {values: marks}, mark: {type: 'rule', strokeWidth: 2, strokeDash: [5, 3]}, encoding: {x, color: colour, tooltip}});
      layer.push({data: {values: marks}, mark: {type: 'text', align: 'left', dx: 4, baseline: 'top', fontWeight: 'bold'}, encoding: {x, y: {value: 2}, text: {field: 'name'}, color: colour, tooltip}});
    }
    return {rows, spec: {width: 'container', height: 170, layer}};
  };

  // ---- drawing, when it comes into sight ----
  const config = {
    background: 'transparent',
    font: 'system-ui, "DejaVu Sans", sans-serif',
    view: {stroke: 'var(--line)'},
    axis: {labelColor: 'var(--muted)', titleColor: 'var(--ink)', gridColor: 'var(--line)', gridOpacity: 0.6, domainColor: 'var(--muted)',
      tickColor: 'var(--muted)', labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal'},
    legend: {labelColor: 'var(--ink)', titleColor: 'var(--ink)', labelFontSize: 12, titleFontSize: 12},
    header: {labelColor: 'var(--ink)', labelFontSize: 12},
    text: {color: 'var(--ink)', fontSize: 12},
  };
  // A canvas knows no style variables: there the colours of the moment go in, and a change of scheme draws it anew.
  const resolved = value => {
    const style = getComputedStyle(root);
    return JSON.parse(JSON.stringify(value).replace(/var\((--[a-z0-9]+)\)/g, (all, name) => style.getPropertyValue(name).trim()));
  };
  window.mlcViews = {};
  const draw = async figure => {
    const place = figure.querySelector('.drawing');
    try {
      const selection = figure.dataset.selection ? JSON.parse(figure.dataset.selection) : {};
      const {spec, rows, renderer = 'svg'} = drawings[figure.dataset.drawing](figure, selection);
      let whole = {data: {name: 'rows'}, ...spec,
        datasets: {rows}, config, autosize: spec.width === 'container' ? {type: 'fit-x', contains: 'padding'} : undefined};
      if (renderer === 'canvas') whole = {...resolved({...whole, datasets: undefined}), datasets: {rows}};
      // ast: expressions are interpreted, so that the page needs no eval.
      const result = await vegaEmbed(place, whole, {mode: 'vega-lite', renderer, actions: false, ast: true, tooltip: {theme: 'custom'}});
      // One image to a screen reader, its hundreds of marks hidden: the figure's table says the same in words.
      place.setAttribute('role', 'img');
      for (const part of place.children) part.setAttribute('aria-hidden', 'true');
      place.setAttribute('aria-label', figure.querySelector('figcaption').textContent + '. The table that follows has the values.');
      window.mlcViews[figure.id] = {view: result.view, rows};
      figure.dataset.drawn = renderer;
    } catch (error) {
      figure.dataset.drawn = 'failed';
      place.textContent = 'This chart could not be drawn: ' + error.message;
      console.error(figure.id, error);
    }
  };
  const waiting = new Set(document.querySelectorAll('figure[data-drawing]'));
  let queue = Promise.resolve();
  const watch = new IntersectionObserver(entries => {
    for (const entry of entries) {
      if (!entry.isIntersecting || !waiting.delete(entry.target)) continue;
      watch.unobserve(entry.target);
      queue = queue.then(() => draw(entry.target));
    }
  }, {rootMargin: '300px'});
  waiting.forEach(figure => watch.observe(figure));
  // What is open but out of sight is drawn in quiet moments, so that printing finds it drawn.
  const quiet = window.requestIdleCallback || (work => setTimeout(work, 200));
  const rest = () => {
    const next = [...waiting].find(figure => figure.offsetParent !== null);
    if (!next) return;
    waiting.delete(next);
    watch.unobserve(next);
    queue = queue.then(() => draw(next)).then(() => quiet(rest));
  };
  addEventListener('load', () => quiet(rest));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    document.querySelectorAll('figure[data-drawn=canvas]').forEach(figure => { queue = queue.then(() => draw(figure)); });
  });
})();
