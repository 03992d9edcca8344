// Texts that do not stand out from what they are written on (contrast below 4.5, WCAG AA).
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const pixel = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map(v => linear(v / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const found = [];
  for (const element of document.querySelectorAll("main *, nav *")) {
    const words = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
    const text = words.map(node => node.data.trim()).join("");
    if (!text || element.closest("svg") || !element.checkVisibility()) continue;
    const behind = [];
    for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const above = [...behind, getComputedStyle(element).color];
    const [a, b] = [luminance(pixel(behind)), luminance(pixel(above))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) found.push([text.slice(0, 30), element.className, contrast.toFixed(2)]);
  }
  return found;
}
