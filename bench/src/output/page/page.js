// Readings under the pointer; without it the page has all but them.
"use strict";
(function () {
  function span(ns) {
    var units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
    var unit = units.find(function (one) { return ns >= one[0]; }) || units[3];
    return (ns / unit[0]).toPrecision(3) + " " + unit[1];
  }
  function numbers(text) { return text.split(" ").map(Number); }
  // The height of a curve of steps at a place, in the chart's units.
  function heightAt(curve, x) {
    var points = curve.points || (curve.points = numbers(curve.dataset.points));
    var low = 0, high = points.length / 2;
    if (x < points[0]) { return null; }
    while (high - low > 1) {
      var middle = (low + high) >> 1;
      if (points[2 * middle] <= x) { low = middle; } else { high = middle; }
    }
    return points[2 * low + 1];
  }
  document.querySelectorAll("svg.cdf").forEach(function (svg) {
    var box = numbers(svg.dataset.box), ends = numbers(svg.dataset.x), y = numbers(svg.dataset.y);
    var out = svg.closest("section").querySelector(".reading");
    var cursor = document.createElementNS(svg.namespaceURI, "line");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y1", box[1]);
    cursor.setAttribute("y2", box[3]);
    cursor.setAttribute("visibility", "hidden");
    svg.appendChild(cursor);
    function share(height) {
      if (height === null) { return 0; }
      var place = y[0] + (box[3] - height) / (box[3] - box[1]) * (y[1] - y[0]);
      return svg.dataset.kind === "share" ? place : 1 - Math.pow(10, -place);
    }
    svg.addEventListener("pointermove", function (event) {
      var point = new DOMPoint(event.clientX, event.clientY);
      var x = point.matrixTransform(svg.getScreenCTM().inverse()).x;
      x = Math.min(Math.max(x, box[0]), box[2]);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.setAttribute("visibility", "visible");
      var exponent = ends[0] + (x - box[0]) / (box[2] - box[0]) * (ends[1] - ends[0]);
      var parts = ["within " + span(Math.pow(10, exponent)) + ":"];
      svg.querySelectorAll("[data-name]").forEach(function (curve) {
        var of = share(heightAt(curve, x)) * 100;
        parts.push(curve.dataset.name + " " + (of > 99 ? of.toFixed(3) : of.toFixed(1)) + " %");
      });
      out.textContent = parts.join("   ");
    });
    svg.addEventListener("pointerleave", function () {
      cursor.setAttribute("visibility", "hidden");
      out.textContent = "";
    });
    out.hidden = false;
  });
  document.documentElement.dataset.script = "ran";
}());
